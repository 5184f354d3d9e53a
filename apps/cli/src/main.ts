import { Command } from 'commander';

// The server's own process loads nothing that only other commands need: it lives for months.
if (process.argv[2] === 'up' || process.argv[2] === 'migrate') {
  const { registerUp } = await import('./up.js');
  const program = new Command('kiroku').exitOverride();
  registerUp(program);
  if (process.argv.length > 3) {
    // Options may be wrong, or ask for help; without any there is nothing to say.
    const [{ speak }, { languageOf }, { wantedLanguage }] = await Promise.all([import('./help.js'), import('./texts.js'), import('./wanted-language.js')]);
    speak(program, languageOf(process.env, wantedLanguage(process.argv)));
  }
  await program.parseAsync().catch((error: { exitCode?: number }) => {
    if (error.exitCode === undefined) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2; // commander has said why
  });
} else {
  const { main } = await import('./whole.js');
  await main();
}
