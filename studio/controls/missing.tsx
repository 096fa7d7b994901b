import type { Pictures } from "../models/pictures.js";
import { Notice } from "./notice.js";

/** What is missing from the pictures of a model, if anything is. */
export function Missing({ pictures }: { pictures: Pictures }) {
  const { value } = pictures.missing;
  return value === null ? null : <Notice kind="warning">{value}</Notice>;
}
