// A worker of Jest would go on with its tests when Jest was killed, and Jest when what started it was. Loaded before Jest's own code.
if (/\/(processChild|jest)\.js$/.test(process.argv[1] ?? '')) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, 500).unref();
}
