/**
 * Packs the digits that ship with the package: `npx tsx scripts/assets/digits.ts FILE`, where FILE is the test
 * part of the UCI data set "Optical Recognition of Handwritten Digits" (optdigits.tes, or the same as CSV).
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { digitsAsset, digitsFrom, digitsRow } from "../../src/data/images/digits.js";
import { readDigitsCsv } from "../../src/data/images/digits-csv.js";
import { idxHeader } from "../../src/data/images/idx.js";
import { packageRoot } from "../../src/package.js";

const rows = readDigitsCsv(process.argv[2]);
const bytes = Buffer.concat([idxHeader([rows.length / digitsRow, digitsRow]), rows]);
digitsFrom(bytes);
writeFileSync(new URL(digitsAsset, packageRoot()), gzipSync(bytes, { level: 9 }));
