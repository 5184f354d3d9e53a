/** Said to strangers only where the setting `showVersion` is on. */
export const VERSION = '0.1.0';
export const PRODUCT = `Kiroku ${VERSION}`;
