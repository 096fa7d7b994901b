/** In place of modules that exist in Node only (vite.config.ts): the library asks for them only there. */
export {};
