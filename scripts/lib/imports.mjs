// Finds the imports of a source text. Enough of a reader for sources that Biome has formatted; no TypeScript needed.

const STRINGS_AND_COMMENTS = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const STATIC = /^[ \t]*(import|export)\b(\s+type\b(?!\s+from\b))?(?:[^;'"`=]*?\bfrom\b)?\s*(['"])([^'"\n]+)\3/gm;
const DYNAMIC = /\b(?:import|require)\s*\(\s*(['"])([^'"\n]+)\1/g;

/** Every import, re-export and dynamic import: `{ specifier, line, typeOnly }`, in order. */
export function findImports(source) {
  const text = source.replace(STRINGS_AND_COMMENTS, (token) =>
    token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token,
  );
  const found = [];
  for (const match of text.matchAll(STATIC)) {
    found.push({ specifier: match[4], index: match.index, typeOnly: match[2] !== undefined });
  }
  for (const match of text.matchAll(DYNAMIC)) {
    // `import('x').Y` where a type stands is erased; `= import('x')` could be either, and counts as a value.
    const before = text.slice(0, match.index);
    const typeOnly = /(?:\btypeof|[:<|&])\s*$/.test(before);
    found.push({ specifier: match[2], index: match.index, typeOnly });
  }
  return found
    .sort((a, b) => a.index - b.index)
    .map(({ specifier, index, typeOnly }) => ({ specifier, typeOnly, line: lineOf(text, index) }));
}

function lineOf(text, index) {
  return text.slice(0, index).split('\n').length;
}
