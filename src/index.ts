/** The public surface of monotone-flows. */

export * from "./browser.js";
export { loadFlow, saveFlow } from "./flows/model-files.js";
