/**
 * Markdown, as GitHub renders it, of things that anybody may have named.
 */

/** Everything that Markdown or HTML may take for more than itself, wherever on a line it stands. */
const SPECIAL = /[\\`*_{}[\]()<>#+!|~&$@^="']/g;

/** A text as it is; its line breaks stay line breaks. It must be printable. */
export function escapeMarkdown(text: string): string {
  return text.replace(SPECIAL, '\\$&').replaceAll('\n', '<br>');
}

/** A table of labels and texts; a row without a label goes on with the subject of the row above. */
export function markdownTable(rows: readonly (readonly [label: string, text: string])[]): string[] {
  const merged: { label: string; texts: string[] }[] = [];
  for (const [label, text] of rows) {
    const last = merged.at(-1);
    if (label === '' && last !== undefined) last.texts.push(text);
    else merged.push({ label, texts: [text] });
  }
  const lines = merged.map(
    ({ label, texts }) => `| ${escapeMarkdown(label)} | ${texts.map(escapeMarkdown).join('<br>')} |`,
  );
  return ['| | |', '| --- | --- |', ...lines];
}
