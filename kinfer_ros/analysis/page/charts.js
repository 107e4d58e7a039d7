'use strict';
// Joins the page to Bokeh's models: buttons, legends, links to a time, print. Bokeh draws.
(function () {
  let errors = 0;
  window.addEventListener('error', () => { document.body.dataset.errors = ++errors; });
  document.body.dataset.errors = errors;
  const content = JSON.parse(document.getElementById('data').textContent);

  function start() {
    const doc = Bokeh.documents[0], range = doc.get_model_by_name('time');
    const [first, last] = range.bounds, runs = [];
    for (let n = 0, found; (found = doc.get_model_by_name('run' + n)); n++) runs.push(found.data);
    const legends = [...document.querySelectorAll('[data-line]')];
    const whole = document.getElementById('run').dataset;

    function zoom(from, to) {
      const least = range.min_interval, middle = (from + to) / 2;
      if (to - from < least) { from = middle - least / 2; to = middle + least / 2; }
      range.setv({ start: Math.max(from, first), end: Math.min(to, last) });
    }
    function show() {
      document.getElementById('range').textContent =
        range.start.toFixed(2) + ' to ' + range.end.toFixed(2) + ' s';
      history.replaceState(null, '', '#t=' + range.start.toFixed(3) + ',' + range.end.toFixed(3));
    }
    function act(what) {
      const span = range.end - range.start, middle = (range.start + range.end) / 2;
      if (what === 'in') zoom(middle - span / 4, middle + span / 4);
      if (what === 'out') zoom(middle - span, middle + span);
      if (what === 'all') zoom(first, last);
      const shift = what === 'left' ? -span / 4 : what === 'right' ? span / 4 : 0;
      const moved = Math.max(Math.min(shift, last - range.end), first - range.start);
      if (shift) zoom(range.start + moved, range.end + moved);
    }
    function values(time) {
      const places = runs.map((data) => {
        let low = 0, high = data.t.length - 1;
        while (low < high) { const mid = (low + high) >> 1; if (data.t[mid] < time) low = mid + 1; else high = mid; }
        return low;
      });
      legends.forEach((button) => {
        const value = time === null ? NaN : runs[button.dataset.run][button.dataset.column][places[button.dataset.run]];
        button.lastElementChild.textContent = Number.isFinite(value) ? String(+value.toPrecision(4)) : '';
      });
      document.body.dataset.cursor = time === null ? '' : time.toFixed(3);
    }

    document.querySelectorAll('[data-act]').forEach((button) =>
      button.addEventListener('click', () => act(button.dataset.act)));
    document.querySelectorAll('[data-from]').forEach((button) =>
      button.addEventListener('click', () => zoom(+button.dataset.from, +button.dataset.to)));
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const what = { '+': 'in', '=': 'in', '-': 'out', '0': 'all', ArrowLeft: 'left', ArrowRight: 'right' }[event.key];
      if (what) { act(what); event.preventDefault(); }
    });
    legends.forEach((button) => button.addEventListener('click', () => {
      const line = doc.get_model_by_name(button.dataset.line);
      line.visible = !line.visible;
      button.setAttribute('aria-pressed', String(line.visible));
    }));
    let due = null;
    doc.roots().forEach((chart) => {
      chart.on_event('mousemove', (event) => {
        if (due === null) requestAnimationFrame(() => { values(due); due = null; });
        due = event.x;
      });
      chart.on_event('mouseleave', () => values(null));
      chart.on_event('doubletap', () => zoom(+whole.from, +whole.to));
      // A finger scrolls the page.
      if (matchMedia('(pointer: coarse)').matches) chart.toolbar.active_drag = null;
    });
    range.change.connect(show);
    const asked = /^#t=(-?[\d.]+),(-?[\d.]+)$/.exec(location.hash);
    if (asked) zoom(+asked[1], +asked[2]);
    show();

    // On paper every chart is a picture, which fits any width.
    window.addEventListener('beforeprint', () => {
      document.querySelectorAll('details').forEach((each) => { each.open = true; });
      doc.roots().forEach((chart) => {
        const view = Bokeh.index.get_by_id ? Bokeh.index.get_by_id(chart.id) : Bokeh.index[chart.id];
        const picture = view.export('png').canvas;
        picture.className = 'picture';
        picture.style.cssText = '';
        view.el.parentElement.after(picture);
      });
    });
    window.addEventListener('afterprint', () =>
      document.querySelectorAll('.picture').forEach((each) => each.remove()));
    document.body.dataset.plots = doc.roots().length;
  }
  Bokeh.embed.embed_items(content.docs, content.items).then(start);
})();
