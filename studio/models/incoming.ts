/** Files that are dropped on the page or chosen: a table becomes data, anything else a model. */
import { signal } from "@preact/signals";
import { addressOf } from "../browser/route.js";
import { openTable } from "./csv.js";
import { imageModel, openedImages } from "./image-model.js";
import { contentsOf } from "./model-files.js";
import { openedFrom, show } from "./opened.js";

/** Whether files are being dragged over the page. */
export const dragging = signal(false);
/** How many tables have been taken: the page that trains shows the last one. */
export const tablesTaken = signal(0);
/** The name of what is being opened. */
export const opening = signal<string | null>(null);
/** What cannot be done with what was dropped. */
export const refusal = signal<string | null>(null);

const TABLE = /\.(csv|tsv|txt)(\.gz)?$/i;

export async function take(files: readonly File[], title?: string): Promise<void> {
  refusal.value = null;
  if (files.length === 0) return;
  const tables = files.filter(({ name }) => TABLE.test(name) && name !== "data.csv");
  const models = files.filter(({ name }) => /\.(json|safetensors|zip)$/i.test(name));
  if (models.length > 0) {
    const name =
      title ?? files.find(({ name }) => name.endsWith(".zip"))?.name.replace(/\.zip$/, "") ?? "the model";
    await openModel(
      files.filter(({ name }) => !tables.some((table) => table.name === name)),
      name,
    );
    return;
  }
  const [table] = [...tables, ...files.filter(({ name }) => name === "data.csv")];
  if (table) {
    openTable(table);
    tablesTaken.value++;
    if (!location.hash.startsWith(addressOf("train"))) location.hash = addressOf("train");
    return;
  }
  refusal.value =
    `${files[0].name} is neither a table (.csv, .tsv, .txt, also .gz) nor a model ` +
    "(a run directory, its .zip, or flow.json and model.safetensors).";
}

/** Opens a model on the page that shows its kind. */
async function openModel(files: readonly File[], title: string): Promise<void> {
  opening.value = title;
  try {
    const contents = await contentsOf(files);
    const images = imageModel(contents, title);
    if (images) openedImages.value = images;
    else show(await openedFrom(contents, title));
    location.hash = addressOf(images ? "images" : "inside", "model=opened");
  } catch (error) {
    refusal.value = (error as Error).message;
  } finally {
    opening.value = null;
  }
}

/** Listens for files that are dropped anywhere. */
export function acceptDrops(): void {
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dragging.value = true;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) dragging.value = false;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dragging.value = false;
    const entries = [...(event.dataTransfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
    const plain = [...(event.dataTransfer?.files ?? [])];
    const folder = entries.length === 1 && entries[0].isDirectory ? entries[0] : null;
    const files = folder ? folderFiles(folder as FileSystemDirectoryEntry) : Promise.resolve(plain);
    files
      .then((list) => take(list, folder?.name))
      .catch((error: Error) => {
        refusal.value = `What was dropped cannot be read: ${error.message}`;
      });
  });
}

/** The files that stand in a folder itself. */
async function folderFiles(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) break;
    entries.push(...some);
  }
  const files = entries.filter((entry): entry is FileSystemFileEntry => entry.isFile);
  return await Promise.all(
    files.map((entry) => new Promise<File>((done, failed) => entry.file(done, failed))),
  );
}
