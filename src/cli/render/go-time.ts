/** Times of the API in the form in which Go prints them. */

/** `2026-01-02 03:04:05.123456789 +0000 UTC` of an RFC 3339 time in UTC; other text comes back as it is. */
export function goTime(text: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+)?(Z|([+-]\d{2}):(\d{2}))$/.exec(text);
  if (match === null) return text;
  const [, date = '', clock = '', fraction = '', zone = '', hours = '', minutes = ''] = match;
  const shown = fraction.replace(/0+$/, '');
  const offset = zone === 'Z' ? '+0000 UTC' : `${hours}${minutes} ${hours}${minutes}`;
  return `${date} ${clock}${shown === '.' ? '' : shown} ${offset}`;
}
