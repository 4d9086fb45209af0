/** Compares the version of Node.js with an `engines.node` of the form `>=major.minor`. */
export function isNodeSupported(version, range) {
  const [major, minor] = numbers(version);
  const [leastMajor, leastMinor = 0] = numbers(range);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function numbers(text) {
  return text
    .replace(/^[^\d]*/, '')
    .split('.')
    .map(Number);
}
