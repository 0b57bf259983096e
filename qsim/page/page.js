'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const cases = [...document.querySelectorAll('.case')];
  const search = document.getElementById('search');
  const count = document.getElementById('count');
  const names = { passed: 'agrees', failed: 'differs', skipped: 'not supported' };
  const ns = 'http://www.w3.org/2000/svg';

  const make = (tag, attributes, text) => {
    const one = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([key, value]) => one.setAttribute(key, value));
    if (text !== undefined) one.textContent = text;
    return one;
  };
  const shape = (parent, tag, attributes, text) => {
    const one = document.createElementNS(ns, tag);
    Object.entries(attributes).forEach(([key, value]) => one.setAttribute(key, value));
    if (text !== undefined) one.textContent = text;
    parent.append(one);
    return one;
  };

  /* What is searched: whatever a person could remember of a case. */
  const words = new Map(cases.map((one) => {
    const known = data[one.dataset.id];
    const texts = Object.values(known.results).flatMap((result) => [result.text, result.reason]);
    return [one, [known.id, known.family, known.source, known.bug, known.place, ...texts]
      .join(' ').toLowerCase()];
  }));
  const shown = {
    all: () => true,
    differ: (one) => one.classList.contains('failed'),
    unsupported: (one) => one.classList.contains('skipped'),
    bug: (one) => 'bug' in one.dataset,
  };

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const of = shown[document.querySelector('input[name=show]:checked').value];
    let visible = 0;
    for (const one of cases) {
      one.hidden = !of(one) || !wanted.every((word) => words.get(one).includes(word));
      visible += !one.hidden;
    }
    count.textContent = `${visible} of ${cases.length}`;
  }

  const isNote = (row) => !row[1];
  const said = (row) => row.slice(0, 3).join('\u0000');

  /* The first row in which two pictures part, in what both witnesses can show. */
  function parts(left, right) {
    const rows = (one) => one.rows.map((row, i) => [row, i]).filter(([row]) => !isNote(row));
    const a = rows(left);
    const b = rows(right);
    for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
      if (!a[i] || !b[i] || said(a[i][0]) !== said(b[i][0])) {
        return [a[i] ? a[i][1] : -1, b[i] ? b[i][1] : -1];
      }
    }
    return [-1, -1];
  }

  const LANE = 64;
  const ROW = 20;
  const CHARACTER = 7.3;

  function picture(one, first) {
    const most = Math.min(one.lanes.length, 9);
    const at = (name) => {
      const i = one.lanes.indexOf(name);
      return 30 + LANE * (i < 0 ? 2 : Math.min(i, most - 1));
    };
    const shared = (name) => one.lanes.indexOf(name) >= most - 1 && one.lanes.length > most;
    const text = (row) => {
      const child = [row[0], row[1]].find(shared);
      return child ? `${child} ${row[2]}` : row[2];
    };
    const left = 30 + LANE * most;
    const longest = Math.max(20, ...one.rows.map((row) => text(row).length));
    const width = left + longest * CHARACTER + 10;
    const height = 30 + ROW * (one.rows.length + 1);
    const svg = document.createElementNS(ns, 'svg');
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.setAttribute('width', width);
    svg.setAttribute('height', height);
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `${one.witness}: ${one.rows.map(text).join('; ')}`);
    one.lanes.slice(0, most).forEach((name, i) => {
      const label = i === most - 1 && one.lanes.length > most ? `${name}…` : name;
      shape(svg, 'text', { x: at(name), y: 16, 'text-anchor': 'middle' }, label);
      shape(svg, 'line', { class: 'lane', x1: at(name), x2: at(name), y1: 24, y2: height });
    });
    one.rows.forEach((row, i) => {
      const y = 40 + ROW * i;
      const group = shape(svg, 'g', { class: i === first ? `${row[3]} first` : row[3] });
      if (i === first) shape(group, 'rect', { x: 0, y: y - 14, width, height: ROW });
      if (row[4]) shape(group, 'title', {}, row[4]);
      const from = at(row[0]);
      if (isNote(row)) {
        shape(group, 'circle', { class: 'dot', cx: from, cy: y - 4, r: 4 });
      } else {
        const to = at(row[1]);
        const back = to > from ? -1 : 1;
        shape(group, 'line', { class: 'arrow', x1: from, x2: to + 6 * back, y1: y - 4, y2: y - 4 });
        const tip = `${to},${y - 4} ${to + 8 * back},${y - 8} ${to + 8 * back},${y}`;
        shape(group, 'polygon', { class: 'tip', points: tip });
      }
      shape(group, 'text', { class: 'words', x: left, y }, text(row));
    });
    return svg;
  }

  function framed(one, first) {
    const frame = make('div', { class: 'picture' });
    frame.append(make('p', { class: 'what' }, one.witness), picture(one, first));
    one.ends.forEach(([name, held]) => frame.append(make('p', {}, `${name} holds ${held}`)));
    one.trouble.forEach((text) => frame.append(make('p', { class: 'bad' }, text)));
    return frame;
  }

  function open(details) {
    const body = details.querySelector('.body');
    if (body.childElementCount) return;
    const known = data[details.dataset.id];
    body.append(make('p', { class: 'what' }, `${known.source} — ${known.place}`));
    if (known.bug) body.append(make('p', {}, `Known bug: ${known.bug}`));
    for (const [witness, result] of Object.entries(known.results)) {
      const time = result.seconds ? `, ${result.seconds} s` : '';
      const reason = result.reason ? `: ${result.reason}` : '';
      body.append(make('p', {}, `${witness} ${names[result.result]}${time}${reason}`));
      if (result.text) body.append(make('pre', {}, result.text));
    }
    const pictures = make('div', { class: 'pictures' });
    const seen = Object.values(known.results).map((result) => result.diagram).find(Boolean);
    const [a, b] = known.diagram && seen ? parts(known.diagram, seen) : [-1, -1];
    if (known.diagram) pictures.append(framed(known.diagram, a));
    if (seen) pictures.append(framed(seen, b));
    body.append(pictures);
  }

  cases.forEach((one) => one.addEventListener('toggle', () => one.open && open(one)));
  search.addEventListener('input', filter);
  document.querySelectorAll('input[name=show]').forEach((one) => {
    one.addEventListener('change', filter);
  });
  document.querySelectorAll('.family').forEach((one) => one.addEventListener('click', () => {
    document.querySelector('input[name=show][value=all]').checked = true;
    search.value = `${one.dataset.family}/`.replaceAll(' ', '-');
    filter();
    search.focus();
  }));

  function step(by) {
    const visible = cases.filter((one) => !one.hidden);
    const here = visible.findIndex((one) => one.contains(document.activeElement));
    const next = visible[here < 0 ? (by > 0 ? 0 : visible.length - 1) : here + by];
    if (next) next.querySelector('summary').focus();
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target === search;
    if (event.key === 'Escape') {
      search.value = '';
      document.querySelector('input[name=show][value=all]').checked = true;
      filter();
      search.blur();
    } else if (event.key === '/' && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.key === 'j' && !typing) {
      step(1);
    } else if (event.key === 'k' && !typing) {
      step(-1);
    } else if (event.key === 'Enter' && typing) {
      step(1);
    }
  });

  window.addEventListener('beforeprint', () => {
    cases.filter((one) => !one.hidden && one.classList.contains('failed')).forEach((one) => {
      one.open = true;
      open(one);
    });
  });

  filter();
  if (location.hash) {
    const one = cases.find((each) => each.dataset.id === decodeURIComponent(location.hash.slice(1)));
    if (one) { one.open = true; one.scrollIntoView(); }
  }
})();
