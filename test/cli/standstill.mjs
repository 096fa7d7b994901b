/** Loaded into a program before it starts: it stands still for good once it has said that it is stopping. */
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (text, ...rest) => {
  const written = write(text, ...rest);
  if (/^stopping/.test(text)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return written;
};
