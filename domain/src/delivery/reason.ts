/** UTF-16 units. */
export const LONGEST_REASON = 1_000;

/** Is that a reason that an administrator may give: one line of text that says something? */
export const isReason = (reason: string): boolean =>
  reason.trim() !== '' && reason.length <= LONGEST_REASON && reason.isWellFormed() && !/\p{Cc}/u.test(reason);
