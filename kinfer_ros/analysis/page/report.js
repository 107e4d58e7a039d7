'use strict';
(function () {
  const data = JSON.parse(document.getElementById('data').textContent);
  const main = document.getElementById('main');
  const COLORS = ['#2f7ed8', '#e4572e', '#2a9d4a', '#9b51c8', '#c08a00', '#00a0a8', '#d6458b', '#7a6a5a',
    '#5b6ee1', '#8aa000'];
  const MODES = { run: '#2a9d4a', ramp: '#c9a227', hold: '#8fb8de', fade: '#b08bd0', damp: '#e0903c',
    fault: '#d03b3b', inactive: '#999' };
  const LETTERS = 'ABCDEFGH';
  const DASHES = [[], [4, 3], [1, 2], [8, 3], [8, 3, 1, 3], [2, 4], [12, 4], [4, 2, 1, 2, 1, 2]];
  const DASHED = ['', ' (dashed)', ' (dotted)', ' (long dashes)', ' (dash and dot)', ' (sparse dots)',
    ' (longer dashes)', ' (dash, dot, dot)'];
  const runs = data.runs;
  const first = Math.min(...runs.map((r) => r.x[0]));
  const last = Math.max(...runs.map((r) => r.x[r.x.length - 1]), first + 1e-6);
  const view = { from: first, to: last, cursor: null };
  const plots = [];
  let errors = 0;
  window.addEventListener('error', () => { document.body.dataset.errors = ++errors; });

  function element(parent, tag, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = text;
    Object.entries(attributes || {}).forEach(([key, value]) => made.setAttribute(key, value));
    parent.appendChild(made);
    return made;
  }
  function table(parent, head, rows, kind) {
    const box = element(parent, 'div', null, { class: 'scroll' });
    const made = element(box, 'table', null, kind ? { class: kind } : {});
    if (head) { const row = element(made, 'tr'); head.forEach((t) => element(row, 'th', t)); }
    rows.forEach((cells) => {
      const row = element(made, 'tr');
      cells.forEach((cell) => element(row, 'td', cell === null ? '' : String(cell)));
    });
  }
  function section(title) { element(main, 'h2', title); return element(main, 'section'); }
  function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name); }

  // Canvas ------------------------------------------------------------------------------------
  function open(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = '11px system-ui, sans-serif';
    return { pen, width, height };
  }
  function nice(span, count) {
    const raw = span / count, power = Math.pow(10, Math.floor(Math.log10(raw)));
    return power * [1, 2, 5, 10].find((step) => step * power >= raw);
  }
  function at(x, t) { // first index with x >= t
    let low = 0, high = x.length;
    while (low < high) { const mid = (low + high) >> 1; if (x[mid] < t) low = mid + 1; else high = mid; }
    return low;
  }
  function visible(series) {
    const x = runs[series.run].x;
    return [Math.max(at(x, view.from) - 1, 0), Math.min(at(x, view.to) + 1, x.length)];
  }
  function range(plot) {
    let low = Infinity, high = -Infinity;
    plot.series.forEach((series) => {
      if (series.hidden) return;
      const [begin, end] = visible(series);
      for (let i = begin; i < end; i++) {
        const y = series.y[i];
        if (y !== null) { if (y < low) low = y; if (y > high) high = y; }
      }
    });
    if (low > high) return [0, 1];
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - pad, high + pad];
  }
  const LEFT = 48, BOTTOM = 18, TOP = 4, RIGHT = 6;
  function draw(plot) {
    const { pen, width, height } = open(plot.canvas);
    if (width < 80) return;
    const [low, high] = range(plot);
    const px = (t) => LEFT + (t - view.from) / (view.to - view.from) * (width - LEFT - RIGHT);
    const py = (v) => TOP + (high - v) / (high - low) * (height - TOP - BOTTOM);
    pen.strokeStyle = color('--line'); pen.fillStyle = color('--dim'); pen.lineWidth = 1;
    pen.textAlign = 'right'; pen.textBaseline = 'middle';
    const dy = nice(high - low, 4);
    for (let v = Math.ceil(low / dy) * dy; v <= high; v += dy) {
      pen.beginPath(); pen.moveTo(LEFT, py(v)); pen.lineTo(width - RIGHT, py(v)); pen.stroke();
      pen.fillText(String(+v.toPrecision(5)), LEFT - 4, py(v));
    }
    pen.textAlign = 'center'; pen.textBaseline = 'top';
    const dx = nice(view.to - view.from, width / 90);
    for (let t = Math.ceil(view.from / dx) * dx; t <= view.to; t += dx) {
      pen.fillText(String(+t.toPrecision(6)), px(t), height - BOTTOM + 4);
    }
    pen.save();
    pen.beginPath(); pen.rect(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM); pen.clip();
    pen.strokeStyle = color('--bad'); pen.setLineDash([5, 4]);
    plot.limits.forEach((v) => {
      pen.beginPath(); pen.moveTo(LEFT, py(v)); pen.lineTo(width, py(v)); pen.stroke();
    });
    pen.setLineDash([]);
    plot.series.forEach((series) => {
      if (series.hidden) return;
      const x = runs[series.run].x, [begin, end] = visible(series);
      pen.strokeStyle = series.color; pen.lineWidth = 1.3;
      pen.setLineDash(DASHES[series.run]);
      pen.beginPath();
      let down = false;
      for (let i = begin; i < end; i++) {
        const y = series.y[i];
        if (y === null) { down = false; continue; }
        if (down) pen.lineTo(px(x[i]), py(y)); else pen.moveTo(px(x[i]), py(y));
        down = true;
      }
      pen.stroke();
    });
    pen.setLineDash([]);
    if (view.cursor !== null) {
      pen.strokeStyle = color('--dim'); pen.beginPath();
      pen.moveTo(px(view.cursor), 0); pen.lineTo(px(view.cursor), height); pen.stroke();
    }
    if (plot.drag) {
      pen.fillStyle = 'rgba(59,130,246,.18)';
      pen.fillRect(Math.min(px(plot.drag[0]), px(plot.drag[1])), 0,
        Math.abs(px(plot.drag[1]) - px(plot.drag[0])), height);
    }
    pen.restore();
    plot.series.forEach((series) => {
      const x = runs[series.run].x;
      const i = view.cursor === null ? -1 : Math.min(at(x, view.cursor), x.length - 1);
      const y = i < 0 ? null : series.y[i];
      series.label.textContent = series.name + (y === null || y === undefined ? '' : ' ' + y);
    });
  }
  document.getElementById('strip').style.height = 28 * runs.length + 'px';
  function drawStrip() {
    const { pen, width, height } = open(document.getElementById('strip'));
    const px = (t) => LEFT + (t - view.from) / (view.to - view.from) * (width - LEFT - RIGHT);
    const row = height / runs.length;
    runs.forEach((run, n) => {
      run.modes.forEach(([from, to, mode]) => {
        const left = Math.max(px(from), LEFT), right = Math.min(px(to), width - RIGHT);
        if (right < LEFT || left > width - RIGHT) return;
        pen.fillStyle = MODES[mode.split(':')[0]] || '#999';
        pen.fillRect(left, n * row, Math.max(right - left, 1), row - 8);
        if (right - left > 34) {
          pen.fillStyle = '#fff'; pen.textAlign = 'left'; pen.textBaseline = 'top';
          pen.fillText(mode, left + 4, n * row + 3);
        }
      });
      pen.fillStyle = color('--fg');
      run.events.forEach(([t]) => {
        if (t >= view.from && t <= view.to) pen.fillRect(px(t), (n + 1) * row - 7, 1, 6);
      });
    });
  }
  function drawBars(box) {
    const { pen, width, height } = open(box.canvas);
    const counts = box.histogram.counts, most = Math.max(...counts.flat(), 1);
    pen.fillStyle = color('--dim'); pen.textBaseline = 'top'; pen.textAlign = 'center';
    for (let i = 0; i <= 4; i++) {
      const v = box.histogram.most * i / 4;
      pen.fillText(String(+v.toPrecision(3)), LEFT + (width - LEFT - 24) * i / 4, height - 14);
    }
    counts.forEach((bars, run) => {
      const step = (width - LEFT - 24) / bars.length;
      pen.fillStyle = COLORS[run]; pen.globalAlpha = counts.length > 1 ? 0.6 : 1;
      bars.forEach((count, i) => {
        // The square root keeps the few late ticks visible.
        const size = Math.sqrt(count / most) * (height - 22);
        pen.fillRect(LEFT + i * step, height - 18 - size, Math.max(step - 1, 1), size);
      });
      pen.globalAlpha = 1;
    });
  }

  // Redraw only what is on the screen.
  const onScreen = new Set();
  let scheduled = false;
  function redraw() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      drawStrip();
      onScreen.forEach((each) => each.paint());
      document.body.dataset.drawn = onScreen.size;
      document.getElementById('range').textContent =
        view.from.toFixed(2) + ' to ' + view.to.toFixed(2) + ' s' +
        (view.cursor === null ? '' : ', at ' + view.cursor.toFixed(3) + ' s');
    });
  }
  const watch = new IntersectionObserver((entries) => {
    entries.forEach((entry) => {
      if (entry.isIntersecting) onScreen.add(entry.target.owner); else onScreen.delete(entry.target.owner);
    });
    redraw();
  }, { rootMargin: '200px' });
  function show(canvas, paint) { canvas.owner = { paint }; watch.observe(canvas); }

  function zoom(from, to) {
    const least = 0.02;
    if (to - from < least) { const mid = (from + to) / 2; from = mid - least / 2; to = mid + least / 2; }
    view.from = Math.max(from, first); view.to = Math.min(to, last);
    if (view.to - view.from < least) { view.from = first; view.to = last; }
    history.replaceState(null, '', view.from === first && view.to === last ? '#' :
      '#t=' + view.from.toFixed(3) + ',' + view.to.toFixed(3));
    redraw();
  }
  function act(what) {
    const span = view.to - view.from, mid = view.cursor === null ? (view.from + view.to) / 2 : view.cursor;
    if (what === 'all') zoom(first, last);
    if (what === 'in') zoom(mid - span / 4, mid + span / 4);
    if (what === 'out') zoom(mid - span, mid + span);
    const shift = what === 'left' ? -span / 4 : what === 'right' ? span / 4 : 0;
    if (shift) {
      const moved = Math.max(Math.min(shift, last - view.to), first - view.from);
      zoom(view.from + moved, view.to + moved);
    }
  }
  document.querySelectorAll('[data-act]').forEach((button) =>
    button.addEventListener('click', () => act(button.dataset.act)));
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const what = { '+': 'in', '=': 'in', '-': 'out', '0': 'all', ArrowLeft: 'left', ArrowRight: 'right' }[event.key];
    if (what) { act(what); event.preventDefault(); }
  });
  function fromHash() {
    const found = /^#t=(-?[\d.]+),(-?[\d.]+)$/.exec(location.hash);
    if (found) zoom(+found[1], +found[2]);
  }
  window.addEventListener('hashchange', fromHash);
  window.addEventListener('resize', redraw);

  function listen(plot) {
    const time = (event) => {
      const box = plot.canvas.getBoundingClientRect();
      const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
      return view.from + Math.min(Math.max(share, 0), 1) * (view.to - view.from);
    };
    plot.canvas.addEventListener('pointermove', (event) => {
      view.cursor = time(event);
      if (plot.drag) plot.drag[1] = view.cursor;
      redraw();
    });
    plot.canvas.addEventListener('pointerleave', () => { view.cursor = null; redraw(); });
    plot.canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      plot.drag = [time(event), time(event)];
      plot.canvas.setPointerCapture(event.pointerId);
    });
    plot.canvas.addEventListener('pointerup', () => {
      const drag = plot.drag;
      plot.drag = null;
      if (drag && Math.abs(drag[1] - drag[0]) > (view.to - view.from) / 100) {
        zoom(Math.min(...drag), Math.max(...drag));
      } else redraw();
    });
    plot.canvas.addEventListener('pointercancel', () => { plot.drag = null; redraw(); });
    plot.canvas.addEventListener('dblclick', () => zoom(first, last));
  }
  function addPlot(parent, plot) {
    const names = [...new Set(plot.series.map((s) => s.name.replace(/ \([A-H]\)$/, '')))];
    const wide = names.length > 4;
    const box = element(parent, 'div', null, { class: wide ? 'plot wide' : 'plot' });
    element(box, 'h3', plot.title + (plot.unit ? ', ' + plot.unit : ''));
    plot.canvas = element(box, 'canvas', null, { role: 'img', 'aria-label': plot.title + ' over time' });
    const legend = element(box, 'div', null, { class: 'legend' });
    plot.series.forEach((series) => {
      series.color = COLORS[names.indexOf(series.name.replace(/ \([A-H]\)$/, '')) % COLORS.length];
      const button = element(legend, 'button', null, { type: 'button', 'aria-pressed': 'true' });
      element(button, 'i').style.background = series.color;
      series.label = element(button, 'span', series.name);
      button.addEventListener('click', () => {
        series.hidden = !series.hidden;
        button.setAttribute('aria-pressed', String(!series.hidden));
        redraw();
      });
    });
    listen(plot);
    plots.push(plot);
    show(plot.canvas, () => draw(plot));
  }

  // The page ----------------------------------------------------------------------------------
  const verdict = document.getElementById('verdict');
  const bad = runs.some((run) => run.problems.length);
  verdict.textContent = bad ? 'Something went wrong' : 'No problem found';
  verdict.className = bad ? 'bad' : 'good';
  const what = element(section('What ran'), 'div', null, { class: 'two' });
  runs.forEach((run, n) => {
    const box = element(what, 'div');
    if (runs.length > 1) element(box, 'h3', LETTERS[n] + ': ' + run.name + DASHED[n]);
    run.problems.forEach((text) => element(box, 'p', text, { class: 'bad' }));
    run.warnings.forEach((text) => element(box, 'p', text, { class: 'bad' }));
    element(box, 'pre', run.summary.join('\n'));
    table(box, null, run.facts, 'facts');
    const more = element(box, 'details');
    element(more, 'summary', 'parameters');
    table(more, null, run.parameters, 'facts');
  });
  data.groups.forEach((group) => {
    if (!group.plots.length && !group.histograms.length) return;
    const part = section(group.title);
    if (group.title === 'Timing') table(part, data.tables.timing.head, data.tables.timing.rows);
    if (group.title === 'Joints' && data.tables.joints.rows.length) {
      table(part, data.tables.joints.head, data.tables.joints.rows);
    }
    const grid = element(part, 'div', null, { class: 'plots' });
    group.histograms.forEach((histogram) => {
      const box = element(grid, 'div', null, { class: 'plot' });
      element(box, 'h3', histogram.title + ': how often, ' + histogram.unit + ' (height: square root)');
      const canvas = element(box, 'canvas', null, { role: 'img', 'aria-label': histogram.title + ' histogram' });
      show(canvas, () => drawBars({ canvas, histogram }));
    });
    group.plots.forEach((plot) => addPlot(grid, plot));
  });
  const guards = section('Guards and events');
  runs.forEach((run, n) => {
    if (runs.length > 1) element(guards, 'h3', LETTERS[n] + ': ' + run.name);
    const rows = Object.entries(run.guards).map(([name, c]) => [name, c.limits, c.warns, c.faults]);
    if (rows.length) table(guards, ['guard', 'limits', 'warnings', 'faults'], rows);
    else element(guards, 'p', 'No guard has spoken.', { class: 'dim' });
    const list = element(guards, 'div', null, { class: 'events', tabindex: '0' });
    const made = element(list, 'table', null, { class: 'facts' });
    run.events.forEach(([t, text]) => {
      const row = element(made, 'tr');
      const button = element(element(row, 'td'), 'button', t.toFixed(3) + ' s', { type: 'button' });
      button.addEventListener('click', () => { zoom(t - 1, t + 1); view.cursor = t; });
      element(row, 'td', text);
    });
  });
  document.body.dataset.plots = plots.length;
  document.body.dataset.errors = errors;
  fromHash();
  redraw();
})();
