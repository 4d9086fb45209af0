/**
 * Finds circles in a graph of files, a Map from file to edges `{ target, line }`. Each circle is
 * `{ files, line }`: the files in order, and the line in the first of them that leads to the second.
 * A circle is reported once, from its alphabetically first file.
 */
export function findCircles(graph) {
  const circles = [];
  for (const start of [...graph.keys()].sort()) {
    const path = shortestWayBack(graph, start);
    if (path?.files.every((file) => file >= start)) circles.push(path);
  }
  return circles;
}

/** Breadth first, so that the circle shown is the shortest through `start`. */
function shortestWayBack(graph, start) {
  const seen = new Set();
  const queue = [{ file: start, files: [start], line: 0 }];
  for (const { file, files, line } of queue) {
    for (const edge of graph.get(file) ?? []) {
      const firstLine = line === 0 ? edge.line : line;
      if (edge.target === start) return { files, line: firstLine };
      if (seen.has(edge.target) || !graph.has(edge.target)) continue;
      seen.add(edge.target);
      queue.push({ file: edge.target, files: [...files, edge.target], line: firstLine });
    }
  }
  return null;
}
