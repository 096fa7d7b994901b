/** The image data sets that are known by name: what their files are called, and where people get them. */

const IDX = {
  train: "train-images-idx3-ubyte",
  test: "t10k-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
} as const;
const CIFAR = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: "test_batch.bin",
} as const;
const IMAGENET = {
  train: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((i) => `train_data_batch_${i}.npz`),
  test: "val_data.npz",
} as const;

/** The files that a data set consists of; of `train` those that are there are used. */
export interface KnownFiles {
  readonly format: "idx" | "cifar" | "imagenet";
  readonly train: readonly string[];
  readonly test: string;
  readonly labels?: { readonly train: string; readonly test: string };
  /** Width and height that the images must have. */
  readonly side?: number;
}

export interface KnownImages extends KnownFiles {
  /** Folders under --data-dir in which the files may lie as well. */
  readonly folders: readonly string[];
  /** Where people get the files. */
  readonly home: string;
}

export const knownFormats: readonly KnownFiles[] = [
  {
    format: "idx",
    train: [IDX.train],
    test: IDX.test,
    labels: { train: IDX.trainLabels, test: IDX.testLabels },
  },
  { format: "cifar", ...CIFAR },
  { format: "imagenet", ...IMAGENET },
];
const [idx, cifar, imagenet] = knownFormats;

const IMAGENET_HOME =
  "the downsampled ImageNet (Chrabaszcz, Loshchilov and Hutter) in npz format is at image-net.org, for registered users";

export const knownImages: Readonly<Record<string, KnownImages>> = {
  mnist: {
    ...idx,
    folders: ["mnist", "MNIST/raw", "MNIST"],
    home: "the MNIST database of handwritten digits (LeCun, Cortes and Burges) is at yann.lecun.com/exdb/mnist",
  },
  "fashion-mnist": {
    ...idx,
    folders: ["fashion-mnist", "FashionMNIST/raw", "FashionMNIST"],
    home: "Fashion-MNIST (Zalando Research) is at github.com/zalandoresearch/fashion-mnist",
  },
  cifar10: {
    ...cifar,
    folders: ["cifar10", "cifar-10-batches-bin"],
    home: "CIFAR-10 (Krizhevsky) is at www.cs.toronto.edu/~kriz/cifar.html, binary version",
  },
  imagenet32: { ...imagenet, side: 32, folders: ["imagenet32", "Imagenet32"], home: IMAGENET_HOME },
  imagenet64: { ...imagenet, side: 64, folders: ["imagenet64", "Imagenet64"], home: IMAGENET_HOME },
};

/** The names that a file may have: MNIST's also with a dot before idx, and all but zip archives gzipped. */
export function fileNames(name: string): string[] {
  if (name.endsWith(".npz")) return [name];
  const names = [name, name.replace("-idx", ".idx")];
  return [...new Set(names)].flatMap((name) => [name, `${name}.gz`]);
}
