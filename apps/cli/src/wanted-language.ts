/** What --lang says, as it was written, whether or not it belongs to the command that fails. */
export const wantedLanguage = (args: readonly string[]): string | undefined => {
  const at = args.findIndex((arg) => /^--lang(=|$)/.test(arg));
  return at < 0 ? undefined : (args[at]?.split('=')[1] ?? args[at + 1]);
};
