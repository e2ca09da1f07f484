/* SPDX-License-Identifier: GPL-3.0-or-later */
'use strict';
// The page is whole without this: here is what needs a reader's hands, finding, filtering and a node's own page.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const [NAME, GROUP, STATE, CLASS, FINDINGS] = [0, 1, 2, 3, 4];
  const SHOWN = 60; // nodes listed below the search
  const by = (selector) => [...document.querySelectorAll(selector)];
  const search = document.getElementById('search');
  const results = document.getElementById('results');
  const matches = document.getElementById('matches');
  const hover = document.getElementById('hover');
  const sheet = document.getElementById('node');
  const numbers = new Map(data.nodes.map((node, number) => [node[NAME], number]));
  const filter = { words: [], state: null, finding: null };

  // Elements

  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const mark = (state) => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', '#m-' + state);
    svg.setAttribute('class', 'mark');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(use);
    return svg;
  };
  const stateOf = (node) => data.states[node[STATE]];
  const table = (name, head, rows) => {
    const body = make('tbody');
    for (const row of rows) body.append(make('tr', {}, ...row));
    const columns = head.map((title) => make('th', { scope: 'col' }, title));
    return make('table', { class: name }, ...(head.length ? [make('thead', {}, make('tr', {}, ...columns))] : []), body);
  };

  // Finding and filtering

  const groupTexts = data.groups.map((title) => title.toLowerCase());
  const findingTexts = data.findings.map((finding) => [finding[0], finding[2], finding[3], finding[7]].join(' ').toLowerCase());
  const stateTexts = data.states.map((state) => data.titles[state].toLowerCase());
  const texts = data.nodes.map((node) =>
    [node[NAME].toLowerCase(), groupTexts[node[GROUP]], stateTexts[node[STATE]], ...node[FINDINGS].map((number) => findingTexts[number])].join('\n'));

  const isFiltered = () => filter.words.length > 0 || filter.state !== null || filter.finding !== null;
  const isMatch = (number) => {
    const node = data.nodes[number];
    return (filter.state === null || stateOf(node) === filter.state)
      && (filter.finding === null || node[FINDINGS].includes(filter.finding))
      && filter.words.every((word) => texts[number].includes(word));
  };

  const apply = () => {
    const filtered = isFiltered();
    const found = filtered ? data.nodes.map((_node, number) => number).filter(isMatch) : [];
    const set = new Set(found);
    matches.textContent = filtered ? `${found.length.toLocaleString('en')} of ${data.nodes.length.toLocaleString('en')} nodes` : '';
    // What deviates comes first
    const listed = [...found].sort((a, b) => data.nodes[a][STATE] - data.nodes[b][STATE] || a - b).slice(0, SHOWN);
    results.replaceChildren(...listed.map((number) => {
      const node = data.nodes[number];
      return make('li', {}, make('a', { href: '#node=' + encodeURIComponent(node[NAME]) }, mark(stateOf(node)), node[NAME]));
    }));
    if (found.length > SHOWN) results.append(make('li', { class: 'quiet' }, `and ${(found.length - SHOWN).toLocaleString('en')} more`));
    for (const map of maps) map.keep(filtered ? set : null);
    const shown = new Set(found.flatMap((number) => data.nodes[number][FINDINGS]));
    for (const element of by('.finding')) {
      const number = Number(element.dataset.finding);
      element.classList.toggle('none', filtered && !shown.has(number));
      element.setAttribute('aria-current', String(filter.finding === number));
    }
    for (const element of by('.category')) element.classList.toggle('none', !element.querySelector('.finding:not(.none)'));
    for (const element of by('.heat tr[data-findings]')) {
      element.classList.toggle('none', filtered && !element.dataset.findings.split(',').some((number) => shown.has(Number(number))));
    }
    for (const element of by('.heat tbody')) element.classList.toggle('none', !element.querySelector('tr[data-findings]:not(.none)'));
    for (const element of by('.state')) element.setAttribute('aria-pressed', String(element.dataset.state === filter.state));
  };

  const clear = () => {
    Object.assign(filter, { words: [], state: null, finding: null });
    search.value = '';
    apply();
  };

  // The map

  class FleetMap {
    constructor(svg) {
      const number = (name) => Number(svg.dataset[name]);
      Object.assign(this, { svg, first: number('first'), count: number('count'), columns: number('columns'), pitch: number('pitch'), row: number('row'), size: number('size'), cell: number('cell'), at: 0 });
      this.cursor = svg.querySelector('.cursor');
      this.veil = svg.querySelector('.veil');
      svg.addEventListener('mousemove', (event) => this.show(this.under(event)));
      svg.addEventListener('mouseleave', () => this.show(null));
      svg.addEventListener('click', (event) => this.under(event) !== null && open(this.first + this.under(event)));
      svg.addEventListener('focus', () => svg.matches(':focus-visible') && this.show(this.at));
      svg.addEventListener('blur', () => this.show(null));
      svg.addEventListener('keydown', (event) => this.move(event));
    }

    place(index) {
      return [(index % this.columns) * this.pitch, Math.floor(index / this.columns) * this.row];
    }

    under(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      const [column, row] = [Math.floor(point.x / this.pitch), Math.floor(point.y / this.row)];
      const index = row * this.columns + column;
      return column >= 0 && column < this.columns && row >= 0 && index < this.count ? index : null;
    }

    show(index) {
      this.cursor.setAttribute('visibility', index === null ? 'hidden' : 'visible');
      if (index === null) {
        hover.replaceChildren('\u00a0');
        return;
      }
      const [x, y] = this.place(index);
      this.cursor.setAttribute('x', x);
      this.cursor.setAttribute('y', y);
      const node = data.nodes[this.first + index];
      const first = node[FINDINGS].length ? data.findings[node[FINDINGS][0]][3] : '';
      hover.replaceChildren(make('b', {}, node[NAME]), `  ${data.titles[stateOf(node)]}${first ? ': ' + first : ''}`);
    }

    move(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, Home: -this.count, End: this.count }[event.key];
      if (event.key === 'Enter' || event.key === ' ') open(this.first + this.at);
      else if (step) {
        this.at = Math.max(0, Math.min(this.count - 1, this.at + step));
        this.show(this.at);
      } else return;
      event.preventDefault();
    }

    // Only nodes of a set are seen clearly; null is all
    keep(set) {
      let path = '';
      for (let index = 0; set && index < this.count; index += 1) {
        if (set.has(this.first + index)) continue;
        const [x, y] = this.place(index);
        path += `M${x - 1} ${y - 1}h${this.cell + 2}v${this.size + 2}h${-this.cell - 2}z`;
      }
      this.veil.setAttribute('d', path);
    }
  }
  const maps = by('.map svg').map((svg) => new FleetMap(svg));

  // A node

  const open = (number) => { location.hash = 'node=' + encodeURIComponent(data.nodes[number][NAME]); };
  const close = () => { if (location.hash.startsWith('#node=')) history.pushState(null, '', location.pathname + location.search); show(); };

  const differences = (node) => node[FINDINGS].flatMap((number) => {
    const [category, source, subject, text, changes, state, plain, title] = data.findings[number];
    if (plain) {
      return [[make('th', { scope: 'row' }, category), make('td', { colspan: '4', class: 'holds t-' + state }, text + (source ? ` (${source})` : ''))]];
    }
    return changes.map(([what, should, holds, cpus], index) => [
      make('th', { scope: 'row' }, what || subject, ...(what ? [make('small', {}, subject), ...(title && !index ? [make('small', { class: 'said' }, title.replace('->', '→'))] : [])] : [])),
      make('td', { class: 'quiet' }, should),
      make('td', { class: 'holds t-' + state }, holds),
      make('td', {}, cpus || (what ? 'all CPUs' : '')),
      make('td', { class: 'quiet' }, index ? '' : source),
    ]);
  });

  const indexes = (text) => text.split(',').filter(Boolean).flatMap((part) => {
    const [first, last] = part.split('-').map(Number);
    return Array.from({ length: (last === undefined ? first : last) - first + 1 }, (_item, step) => first + step);
  });

  const registers = (node) => {
    const held = node[CLASS] < 0 ? null : data.registers[node[CLASS]];
    if (held === null) return [];
    const rows = indexes(held).flatMap((number) => {
      const [name, address, values] = data.readings[number];
      return values.map(([value, cpus, fields], index) => [
        make('td', { class: 'mono' }, index ? '' : name || address), make('td', { class: 'mono quiet' }, index || !name ? '' : address),
        make('td', { class: 'mono' }, value), make('td', { class: 'quiet' }, cpus), make('td', { class: 'quiet' }, fields)]);
    });
    if (!rows.length) return [];
    return [make('details', {}, make('summary', {}, `All ${indexes(held).length} registers`), table('all', ['register', 'address', 'value', 'CPUs', 'fields'], rows))];
  };

  const past = (node) => {
    const states = data.past[node[NAME]];
    if (!states || data.runs.length < 2) return [];
    const moments = [...states].map((state, index) => make('span', { title: data.runs[index] + ': ' + data.titles[data.states[state]] }, mark(data.states[state]), data.runs[index].slice(5, 10)));
    return [make('h3', {}, 'History'), make('div', { class: 'strip' }, ...moments)];
  };

  const facts = (node) => {
    if (node[CLASS] < 0) return [];
    const rows = data.facts[node[CLASS]].map((text, index) => [make('th', { scope: 'row' }, data.subjects[index]), make('td', {}, text === null ? 'none' : text)]);
    return [make('h3', {}, 'Node'), table('facts', [], rows)];
  };

  const show = () => {
    const match = /^#node=(.*)$/.exec(location.hash);
    const number = match ? numbers.get(decodeURIComponent(match[1])) : undefined;
    if (number === undefined) {
      if (sheet.open) sheet.close();
      return;
    }
    const node = data.nodes[number];
    const state = stateOf(node);
    const button = make('button', { type: 'button', class: 'close' }, 'Close');
    button.addEventListener('click', close);
    const rows = differences(node);
    const title = make('div', {}, make('h2', { id: 'node-name' }, node[NAME]), make('p', { class: 'of' }, data.groups[node[GROUP]]), make('p', { class: 'badge t-' + state }, mark(state), data.titles[state]));
    sheet.replaceChildren(make('div', { class: 'sheet' }, make('header', {}, title, button),
      ...(rows.length ? [make('h3', {}, 'Differences'), table('differences', ['', 'expected', 'found', 'where', 'why'], rows)] : []),
      ...past(node), ...facts(node), ...registers(node)));
    if (!sheet.open) sheet.showModal();
    sheet.scrollTop = 0;
  };

  // Hands

  search.addEventListener('input', () => {
    filter.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    apply();
  });
  for (const button of by('.state')) {
    button.addEventListener('click', () => {
      filter.state = filter.state === button.dataset.state ? null : button.dataset.state;
      apply();
    });
  }
  for (const element of by('.finding')) {
    element.querySelector('.count').addEventListener('click', () => {
      const number = Number(element.dataset.finding);
      filter.finding = filter.finding === number ? null : number;
      apply();
    });
  }
  for (const row of by('.heat tr[data-findings]')) {
    row.addEventListener('click', () => {
      filter.finding = Number(row.dataset.findings.split(',')[0]);
      apply();
    });
  }
  const links = () => [...results.querySelectorAll('a')];
  search.addEventListener('keydown', (event) => {
    const first = links()[0];
    if (!first) return;
    // Not the browser's own Enter, too: it would press the button that has the focus by then
    if (event.key === 'ArrowDown') first.focus();
    else if (event.key === 'Enter') first.click();
    else return;
    event.preventDefault();
  });
  results.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = links().indexOf(document.activeElement) + step;
    (links()[next] || (next < 0 ? search : document.activeElement)).focus();
    event.preventDefault();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === '/' && !typing && !sheet.open) { search.focus(); search.select(); event.preventDefault(); }
    if (event.key === 'Escape' && !sheet.open && isFiltered()) clear();
  });
  sheet.addEventListener('cancel', (event) => { event.preventDefault(); close(); });
  sheet.addEventListener('click', (event) => { if (event.target === sheet) close(); });
  window.addEventListener('hashchange', show);
  window.addEventListener('popstate', show);
  apply();
  show();
  document.documentElement.dataset.ready = 'true';
})();
