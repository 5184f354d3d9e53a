import { describe, expect, it } from '@jest/globals';
import { abilitiesOf, capabilities, type Offer } from './capabilities.js';

const offer: Offer = { phase: 'not-authenticated', startTls: true, mechanisms: ['SCRAM-SHA-256', 'PLAIN'], login: true, compressed: false, appendLimit: 1000, messageLimit: 0 };

describe('capabilities', () => {
  it('before login are those that a stranger needs', () => {
    expect(capabilities(offer).join(' ')).toBe('IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS AUTH=SCRAM-SHA-256 AUTH=PLAIN');
    expect(capabilities({ ...offer, startTls: false, login: false, mechanisms: [] }).join(' ')).toBe('IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LOGINDISABLED');
  });

  it('after login name no way to log in, and limits that are set', () => {
    const all = capabilities({ ...offer, phase: 'selected' });
    expect(all.filter((name) => /AUTH|STARTTLS|LOGIN|MESSAGELIMIT/.test(name))).toEqual(['UNAUTHENTICATE']);
    expect(all).toContain('APPENDLIMIT=1000');
    expect(new Set(all).size).toBe(all.length);
    expect(capabilities({ ...offer, phase: 'authenticated', appendLimit: 0, messageLimit: 5000 })).toEqual(expect.arrayContaining(['APPENDLIMIT', 'MESSAGELIMIT=5000']));
  });

  it('offer compression once', () => {
    expect(capabilities({ ...offer, phase: 'authenticated' })).toContain('COMPRESS=DEFLATE');
    expect(capabilities({ ...offer, phase: 'authenticated', compressed: true })).not.toContain('COMPRESS=DEFLATE');
  });
});

describe('ENABLE', () => {
  it('knows what it can switch on, and passes over the rest', () => {
    expect(abilitiesOf(['XYZZY', 'UTF8=ACCEPT', 'IMAP4REV2', 'QRESYNC'])).toEqual(['QRESYNC', 'UTF8=ACCEPT', 'IMAP4REV2']);
  });
});
