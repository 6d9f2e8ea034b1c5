/** The fewest characters of a password; the server checks it too (`domain/people`). */
export const SHORTEST_PASSWORD = 12
