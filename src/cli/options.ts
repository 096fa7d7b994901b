/** Options of commands, made of the schemas that define them. */
import { availableParallelism } from "node:os";
import { Option } from "@commander-js/extra-typings";
import { z } from "zod";
import { defaultInWords, option, optionFacts, optionValue } from "../options.js";
import { threads } from "../ranks/options.js";
import { trainingSchema } from "../training/options.js";

/** Words of the command line in place of those of the schema. */
interface Words {
  /** What the option is here. */
  sentence?: string;
  /** What happens without it. */
  standard?: string;
}

/** With the schema's default where it has one, else undefined where the option is not given. */
type SchemaOption<Flags extends string, Schema extends z.ZodType> = Option<
  Flags,
  undefined,
  Schema extends z.ZodDefault ? z.output<Schema> : undefined,
  z.output<Schema>
>;

/** Only texts that mean one number: not "", "0x10" or "1e3" where whole ones are asked for. */
const numberIn = (text: string, whole: boolean): unknown =>
  (whole ? /^[+-]?\d+(\.0*)?$/.test(text) : text.trim() !== "") ? Number(text) : text;

/** An option of commander whose text is read and checked by a schema, which also says what it is and how it starts. */
export function schemaOption<Flags extends string, Schema extends z.ZodType>(
  flags: Flags,
  schema: Schema,
  { sentence, standard }: Words = {},
): SchemaOption<Flags, Schema> {
  const facts = optionFacts(schema);
  const words = standard ?? defaultInWords(facts);
  const text = sentence ?? facts.sentence;
  const value = facts.default;
  // Commander itself adds the default, and what there is to choose from.
  const made = new Option(
    flags,
    value === undefined && words !== null ? `${text} (default: ${words})` : text,
  );
  if (facts.kind === "choice") made.choices(facts.choices);
  const name = made.long ?? flags;
  made.argParser((given: string) => {
    const read = facts.kind === "number" ? numberIn(given, facts.whole) : given;
    return optionValue(schema, read, name, given);
  });
  if (value !== undefined) made.default(value, words ?? undefined);
  return made as unknown as SchemaOption<Flags, Schema>;
}

const whole = z.number().int();

/** A whole number that only one command knows, at least `least`. */
export const wholeOption = (sentence: string, least = 1) => option(whole.min(least), sentence);

const { seed } = trainingSchema.shape;

/** What several commands have. */
export const common = {
  json: ["--json", "print one JSON object on stdout"],
  threads: schemaOption("--threads <n>", threads),
  seed: (of: string) => schemaOption("--seed <n>", seed.default(0), { sentence: `seed of the ${of}` }),
  columns: [
    "--columns <list>",
    "columns of the file to use, by name or number, separated by commas",
    (text: string) => text.split(",").map((name) => name.trim()),
  ],
  /** Of commands whose results hang on the invertibility of a model. */
  uncertified: ["--uncertified", "go on with a model whose blocks are not all certified to be invertible"],
} as const;

/** The number of ranks: as asked for, or one a core. */
export const rankCount = (threads: number | undefined): number => threads ?? availableParallelism();
