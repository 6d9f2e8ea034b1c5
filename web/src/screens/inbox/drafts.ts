/** Notes that were typed, by ticket: closing the dialog loses nothing, and neither does a retry that is refused. */
export const drafts = new Map<string, string>()
