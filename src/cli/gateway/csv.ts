/** Pure: CSV as RFC 4180 has it. */

/** Yields records as the text comes, in whatever pieces. Line breaks within quotes are kept, empty lines left out. */
export async function* readCsv(pieces: AsyncIterable<string>): AsyncGenerator<string[]> {
  let fields: string[] = [];
  let field = '';
  /** After a quote within quotes: the next character says whether it was the end. */
  let state: 'plain' | 'quoted' | 'quote' = 'plain';
  for await (const piece of pieces) {
    for (const character of piece) {
      if (state === 'quoted') {
        if (character === '"') state = 'quote';
        else field += character;
      } else if (state === 'quote' && character === '"') {
        field += '"';
        state = 'quoted';
      } else if (character === '"' && field === '' && state === 'plain') state = 'quoted';
      else if (character === ',') {
        fields.push(field);
        [field, state] = ['', 'plain'];
      } else if (character === '\n') {
        const record = [...fields, field];
        [fields, field, state] = [[], '', 'plain'];
        if (record.some((one) => one !== '')) yield record;
      } else if (character !== '\r') {
        field += character;
        state = 'plain';
      }
    }
  }
  const last = [...fields, field];
  if (last.some((one) => one !== '')) yield last;
}
