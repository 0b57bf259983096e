'use strict';
/* A scenario's sequence diagram as SVG.  A row is [source, dest, text, style, why?]. */
const picture = (() => {
  const NS = 'http://www.w3.org/2000/svg';
  const CHARACTER = 7.3;
  const LINE = 16;
  const TOP = 24;
  /* As many lanes have a place of their own; the children beyond share the last. */
  const MOST = 9;
  /* With room enough the words stand beside the arrows, else each above its own. */
  const LANE = { least: 45, most: 64 };
  const COLUMNS = { least: 28, most: 64 };
  /* However little room there is, a line has so many. */
  const NARROWEST = 8;

  const shape = (parent, tag, attributes, text) => {
    const one = document.createElementNS(NS, tag);
    Object.entries(attributes).forEach(([key, value]) => one.setAttribute(key, value));
    if (text !== undefined) one.textContent = text;
    parent.append(one);
    return one;
  };

  /* Lines of at most so many characters, broken at a space where there is one. */
  function wrapped(text, columns) {
    const lines = [];
    let rest = text;
    while (rest.length > columns) {
      const space = rest.lastIndexOf(' ', columns);
      const at = space > columns / 2 ? space : columns;
      lines.push(rest.slice(0, at));
      rest = rest.slice(at).trimStart();
    }
    return [...lines, rest];
  }

  const isNote = (row) => !row[1];
  const told = (row) => (isNote(row) ? `${row[0]}: ${row[2]}` : `${row[0]} to ${row[1]}: ${row[2]}`);

  function arrow(group, from, to, y) {
    const back = to > from ? -1 : 1;
    shape(group, 'line', { class: 'arrow', x1: from, x2: to + 6 * back, y1: y, y2: y });
    const tip = `${to},${y} ${to + 8 * back},${y - 4} ${to + 8 * back},${y + 4}`;
    shape(group, 'polygon', { class: 'tip', points: tip });
  }

  /* `room` is the width there is; `first` the row that is marked, or -1. */
  return (one, first, room) => {
    const lanes = one.lanes.slice(0, MOST);
    const left = 26;
    const clamped = (least, one, most) => Math.max(least, Math.min(one, most));
    const wide = clamped(LANE.least, room * 0.45 / lanes.length, LANE.most);
    const free = Math.floor((room - left - wide * lanes.length - 10) / CHARACTER);
    const narrow = free < COLUMNS.least;
    const lane = narrow ? Math.min(LANE.most, (room - 2 * left) / Math.max(1, lanes.length - 1)) : wide;
    const words = narrow ? 2 : left + lane * lanes.length;
    const columns = Math.max(
      NARROWEST,
      narrow ? Math.floor((room - 4) / CHARACTER) : Math.min(free, COLUMNS.most),
    );
    const at = (name) => {
      const i = one.lanes.indexOf(name);
      return left + lane * (i < 0 ? 2 : Math.min(i, lanes.length - 1));
    };
    const shared = (name) => one.lanes.length > MOST && one.lanes.indexOf(name) >= MOST - 1;
    const rows = one.rows.map((row) => {
      const child = [row[0], row[1]].find(shared);
      return wrapped(child ? `${child} ${row[2]}` : row[2], columns);
    });
    const longest = Math.max(20, ...rows.flat().map((line) => line.length));
    const width = narrow ? room : words + longest * CHARACTER + 10;
    const svg = document.createElementNS(NS, 'svg');
    lanes.forEach((name, i) => {
      const full = i === MOST - 1 && one.lanes.length > MOST ? `${name}…` : name;
      const fits = Math.max(2, Math.floor(lane / CHARACTER));
      const label = full.length > fits ? `${full.slice(0, fits - 1)}…` : full;
      shape(svg, 'text', { x: at(name), y: 14, 'text-anchor': 'middle' }, label);
    });
    let y = TOP;
    const lines = lanes.map((name) => shape(svg, 'line', { class: 'lane', x1: at(name), x2: at(name), y1: 20 }));
    one.rows.forEach((row, i) => {
      const height = LINE * rows[i].length + (narrow ? 12 : 4);
      const group = shape(svg, 'g', { class: i === first ? `${row[3]} first` : row[3] });
      if (i === first) shape(group, 'rect', { x: 0, y, width, height });
      const middle = narrow ? y + height - 6 : y + 9;
      if (isNote(row)) shape(group, 'circle', { class: 'dot', cx: at(row[0]), cy: middle, r: 4 });
      else arrow(group, at(row[0]), at(row[1]), middle);
      rows[i].forEach((line, j) => {
        shape(group, 'text', { class: 'words', x: words, y: y + 13 + LINE * j }, line);
      });
      y += height;
    });
    lines.forEach((line) => line.setAttribute('y2', y));
    const size = { viewBox: `0 0 ${width} ${y + 4}`, width, height: y + 4, role: 'img' };
    Object.entries(size).forEach(([key, value]) => svg.setAttribute(key, value));
    svg.setAttribute('aria-label', `Sequence diagram. ${one.rows.map(told).join('; ')}`);
    return svg;
  };
})();
