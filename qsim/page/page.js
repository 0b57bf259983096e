/* Which scenarios are shown, and what is drawn when one is opened. */
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const cases = [...document.querySelectorAll('.case')];
  const bar = document.querySelector('.bar');
  const [search, verdict, behaviour, target, count] = ['search', 'verdict', 'behaviour', 'target', 'count']
    .map((id) => document.getElementById(id));

  const make = (tag, attributes, text) => {
    const one = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([key, value]) => one.setAttribute(key, value));
    if (text !== undefined) one.textContent = text;
    return one;
  };

  /* What is searched: whatever the page says of a scenario. */
  const words = new Map(cases.map((one) => [one, one.textContent.toLowerCase()]));

  function isOf(one, wanted) {
    if (!wanted) return !target.value || target.value in one.dataset;
    if (wanted === 'bug' || wanted === 'changed') return wanted in one.dataset;
    return one.dataset[target.value || 'any'] === wanted || one.dataset.kind === wanted;
  }

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let visible = 0;
    for (const one of cases) {
      one.hidden = !isOf(one, verdict.value)
        || (behaviour.value && one.dataset.behaviour !== behaviour.value)
        || !wanted.every((word) => words.get(one).includes(word));
      visible += !one.hidden;
    }
    count.textContent = `${visible} of ${cases.length}`;
    settle();
  }

  function choose(chosen) {
    search.value = '';
    behaviour.value = chosen.behaviour || '';
    target.value = chosen.target || '';
    verdict.value = chosen.verdict || '';
    /* A verdict that no scenario has over all can still be one target's. */
    if (verdict.selectedIndex < 0) verdict.value = '';
    filter();
  }

  /* The first row in which two pictures part, in what both witnesses can show. */
  function parts(left, right) {
    const rows = (one) => one.rows.map((row, i) => [row, i]).filter(([row]) => row[1]);
    const said = (row) => row.slice(0, 3).join('\u0000');
    const a = rows(left);
    const b = rows(right);
    for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
      if (!a[i] || !b[i] || said(a[i][0]) !== said(b[i][0])) {
        return [a[i] ? a[i][1] : -1, b[i] ? b[i][1] : -1];
      }
    }
    return [-1, -1];
  }

  function reasons(one) {
    const rows = one.rows.filter((row) => row[4]);
    if (!rows.length) return [];
    const details = make('details', { class: 'why' });
    const list = make('ul');
    list.append(...rows.map((row) => make('li', {}, `${row[2]}: ${row[4]}`)));
    details.append(make('summary', {}, 'Why'), list);
    return [details];
  }

  function framed(name, one, first, room) {
    const frame = make('figure', { class: 'picture' });
    const who = one.witness.startsWith(name) ? one.witness : `${name}: ${one.witness}`;
    frame.append(make('figcaption', {}, who), picture(one, first, room));
    const ends = one.ends.map(([child, held]) => `${child} holds ${held}`);
    if (ends.length) frame.append(make('p', { class: 'ends' }, `At the end ${ends.join(', ')}`));
    frame.append(...one.trouble.map((text) => make('p', { class: 'failed' }, text)), ...reasons(one));
    return frame;
  }

  /* On paper the diagrams are as wide as this, made smaller to fit A4 and letter. */
  const PAPER = 850;
  const GAP = 16;
  let onPaper = false;

  const place = (details) => details.querySelector('.pictures');
  /* What each scenario was drawn for. */
  const drawn = new Map();

  function draw(details, full) {
    const known = data[details.id];
    const { model, qemu, baseline } = known;
    const marks = {};
    /* The candidate is marked against the older binary, where that does otherwise. */
    const other = baseline ? 'baseline' : 'model';
    if (known[other] && qemu) [marks[other], marks.qemu] = parts(known[other], qemu);
    const order = baseline ? { baseline, qemu, model } : { model, qemu };
    const there = Object.entries(order).filter(([, one]) => one);
    const two = there.length > 1 && (onPaper || full >= 960);
    const each = two ? Math.floor((full - GAP) / 2) : full;
    place(details).replaceChildren(...there
      .map(([name, one]) => framed(name, one, marks[name] ?? -1, each)));
    drawn.set(details, `${full} ${onPaper}`);
  }

  /* Draws what can be seen and is not drawn for the room there is; the rest has no room at all. */
  function settle(some = cases) {
    some.filter((one) => one.open && !one.hidden)
      .map((one) => [one, onPaper ? PAPER : place(one).clientWidth])
      .filter(([one, full]) => drawn.get(one) !== `${full} ${onPaper}`)
      .forEach(([one, full]) => draw(one, full));
  }

  function show(one) {
    if (one.hidden) choose({});
    one.open = true;
    settle([one]);
    one.scrollIntoView();
    one.querySelector('summary').focus({ preventScroll: true });
  }

  /* A comma may be encoded or not; and who types may end in a percent sign. */
  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function follow() {
    const id = decoded(window.location.hash.slice(1));
    const one = cases.find((each) => each.id === id);
    if (one) show(one);
  }

  cases.forEach((one) => one.addEventListener('toggle', () => {
    settle([one]);
    /* The address is of what was opened last, to be copied from where addresses are. */
    if (one.open && one.contains(document.activeElement)) {
      window.history.replaceState(null, '', one.querySelector('.link').href);
    }
  }));
  search.addEventListener('input', filter);
  [verdict, behaviour, target].forEach((one) => one.addEventListener('change', filter));
  bar.addEventListener('submit', (event) => event.preventDefault());
  document.querySelectorAll('.pick').forEach((one) => one.addEventListener('click', () => {
    choose(one.dataset);
    document.getElementById('scenarios').scrollIntoView();
    (one.dataset.verdict ? verdict : behaviour).focus({ preventScroll: true });
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
    /* In a list of choices letters choose. */
    const choosing = event.target instanceof HTMLSelectElement;
    if (event.key === 'Escape') {
      choose({});
      event.target.blur();
    } else if (typing) {
      if (event.key !== 'Enter') return;
      /* Else the same key opens what gets the focus. */
      event.preventDefault();
      step(1);
    } else if (choosing) {
      /* Nothing of ours. */
    } else if (event.key === '/') {
      event.preventDefault();
      search.focus();
    } else if (event.key === 'j') {
      step(1);
    } else if (event.key === 'k') {
      step(-1);
    }
  });

  /* On paper all that differs is open; and what is open is drawn for the paper. */
  const paper = window.matchMedia('print');
  let opened = [];
  function print() {
    if (onPaper) return;
    onPaper = true;
    opened = cases.filter((one) => !one.hidden && !one.open && one.classList.contains('failed'));
    opened.forEach((one) => { one.open = true; });
    settle();
  }
  function printed() {
    onPaper = false;
    opened.forEach((one) => { one.open = false; });
    settle();
  }
  window.addEventListener('beforeprint', print);
  window.addEventListener('afterprint', printed);
  paper.addEventListener('change', () => (paper.matches ? print() : printed()));
  window.addEventListener('resize', () => settle());

  bar.hidden = false;
  filter();
  window.addEventListener('hashchange', follow);
  /* Not before: a browser that goes to a fragment takes the focus away. */
  window.addEventListener('load', follow);
})();
