/// The colours on a dark page, which is chosen by the system or by the reader.
private let darkColours: Markup = """
  --page: #12161b; --ink: #e6e9ee; --soft: #a3acb8; --line: #343c46; --panel: #1b2128;
  --link: #7cb7ff; --good: #6bd389; --bad: #ff8f86; --bars: #6ea0e0; --lost: #7d2a26;
  --embedding: #21476d; --attention: #69461a; --feed-forward: #2b5530; --norm: #4b3a6b;
  --head: #6e3343; --other: #3a424d;
  --d0: #1f5f99; --d1: #1d4b77; --d2: #1a3a5a; --d3: #182a3f;
  --d5: #33281a; --d6: #4d3614; --d7: #6e4811; --d8: #8f560d;
  --s0: #7cb7ff; --s1: #ffb05c; --s2: #6bd389;
  color-scheme: dark;
  """

/// How the page looks: light or dark, on a wide screen, a narrow one and on paper.
let reportStyle: Markup = """

  :root {
    --page: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --panel: #f6f8fa;
    --link: #0550ae; --good: #116329; --bad: #b3261e; --bars: #3f6fb0; --lost: #ffc9c4;
    --embedding: #cfe3f7; --attention: #fbdcb8; --feed-forward: #d3ecd0; --norm: #e8ddf5;
    --head: #f9d4dc; --other: #e6e8eb;
    --d0: #7fb3e6; --d1: #a6cbef; --d2: #c9dff5; --d3: #e4eff9;
    --d5: #fdeedd; --d6: #fbd9b5; --d7: #f6bd84; --d8: #ee9b52;
    --s0: #0550ae; --s1: #b35900; --s2: #116329;
    color-scheme: light;
  }
  :root[data-theme="dark"] {
    \(darkColours)
  }
  @media screen and (prefers-color-scheme: dark) {
    :root:not([data-theme]) {
      \(darkColours)
    }
  }
  * { box-sizing: border-box; }
  html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
  body { margin: 0; background: var(--page); color: var(--ink);
    font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
  h1 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
  h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
  h3 { font-size: 1rem; margin: 1rem 0 .4rem; overflow-wrap: anywhere; }
  h4 { font-size: .95rem; margin: .8rem 0 .2rem; }
  p { margin: .4rem 0; }
  a { color: var(--link); }
  code, .facts td, .numbers td, .numbers tbody th, .heat td, .heat th, .cell span {
    font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: .86em; }
  h3 code { font-size: .92em; }
  header > h1, main, footer { max-width: 1600px; margin: 0 auto; padding: 1rem 1.2rem; }
  header > h1 { padding-bottom: .3rem; }
  nav { position: sticky; top: 0; z-index: 1; }
  header { display: contents; }
  nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; padding: .5rem 1.2rem;
    max-width: 1600px; margin: 0 auto; background: var(--page); border-bottom: 1px solid var(--line); }
  nav a { text-decoration: none; padding: .1rem 0; }
  nav a:hover { text-decoration: underline; }
  button, input, select { font: inherit; color: inherit; background: var(--panel);
    border: 1px solid var(--line); border-radius: 5px; padding: .15rem .6rem; }
  nav button { margin-left: auto; font-size: .85rem; cursor: pointer; }
  :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
  .skip { position: absolute; left: -100vw; }
  .skip:focus { left: 1rem; top: .5rem; z-index: 2; background: var(--page); padding: .3rem; }
  section { margin: 0 0 2.4rem; min-width: 0; }
  @media (min-width: 1200px) {
    main { display: grid; grid-template-columns: 480px minmax(0, 1fr); column-gap: 2.5rem; }
    main > section { grid-column: 1 / -1; }
    main > #picture { grid-column: 1; }
    main > #map { grid-column: 2; }
  }
  figure { margin: 0; }
  figcaption, .caption, .output, footer { color: var(--soft); font-size: .9rem; }
  figcaption, .caption, .verdict { max-width: 100ch; margin-bottom: .6rem; }
  .scroll { overflow-x: auto; max-width: 100%; }
  .good { color: var(--good); }
  .bad { color: var(--bad); }

  .headline { font-size: 1.2rem; margin: 0 0 .6rem; }
  .figures { list-style: none; display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 0 0 1rem; }
  .figures li { background: var(--panel); border: 1px solid var(--line); border-radius: 7px;
    padding: .45rem .9rem; }
  .figures b { display: block; font-size: 1.25rem; line-height: 1.3; }
  .figures span { color: var(--soft); font-size: .85rem; }
  .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr));
    gap: 0 2rem; }
  .columns > div { min-width: 0; }
  .columns h3 { margin-top: 0; }
  ul { padding-left: 1.2rem; margin: .3rem 0; }
  li { overflow-wrap: anywhere; }
  table { border-collapse: collapse; }
  .facts th { text-align: left; font-weight: 600; vertical-align: top; padding: .1rem 1rem .1rem 0;
    white-space: nowrap; font-size: .9rem; }
  .facts th.part { font-weight: 400; padding-left: 1rem; color: var(--soft); }
  .facts td { overflow-wrap: anywhere; padding: .1rem 0; vertical-align: top; }

  .legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0;
    font-size: .9rem; }
  .swatch { display: inline-block; width: .9em; height: .9em; border: 1px solid var(--line);
    border-radius: 3px; margin-right: .35em; vertical-align: -.1em; }
  svg text { fill: var(--ink); font-size: 12px; }
  svg .small { font-size: 11px; fill: var(--soft); }
  svg .name { font-weight: 600; }
  svg .end { text-anchor: end; }
  svg .tick { font-size: 10.5px; fill: var(--soft); }
  .picture { display: block; max-width: 100%; height: auto; }
  .pixels { display: block; max-width: 100%; height: auto; image-rendering: pixelated; background: #fff; }
  .box { stroke: var(--soft); stroke-width: .8; fill: var(--page); }
  .box.k-plain { fill: var(--panel); }
  .arrow { fill: none; stroke: var(--soft); stroke-width: 1.2; }
  .k-embedding { fill: var(--embedding); background: var(--embedding); }
  .k-attention { fill: var(--attention); background: var(--attention); }
  .k-feed-forward { fill: var(--feed-forward); background: var(--feed-forward); }
  .k-norm { fill: var(--norm); background: var(--norm); }
  .k-head { fill: var(--head); background: var(--head); }
  .k-other { fill: var(--other); background: var(--other); }
  .picture .small { fill: var(--ink); }

  .treemap { display: block; width: 100%; height: auto; }
  .treemap.narrow { display: none; }
  .treemap text { font-size: 12px;
    font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .kinds { margin-top: .3rem; }
  .treemap .small { fill: var(--ink); }
  .tile { stroke: var(--page); stroke-width: 1.5; }
  .group { fill: none; stroke: var(--ink); stroke-width: 1; pointer-events: none; }
  .treemap a:hover .tile, .treemap a:focus .tile { stroke: var(--link); stroke-width: 4; }
  .treemap a:focus { outline: none; }
  .output { min-height: 1.5em; overflow-wrap: anywhere; }

  .heat { font-variant-numeric: tabular-nums; margin-bottom: .8rem; }
  .heat td, .heat th { padding: .12rem .4rem; text-align: right; white-space: nowrap;
    border: 1px solid var(--page); }
  .heat th { font-weight: 400; }
  .heat tr > th:first-child { position: sticky; left: 0; background: var(--page); text-align: left; }
  .d0 { background: var(--d0); } .d1 { background: var(--d1); } .d2 { background: var(--d2); }
  .d3 { background: var(--d3); } .d5 { background: var(--d5); } .d6 { background: var(--d6); }
  .d7 { background: var(--d7); } .d8 { background: var(--d8); }
  .heat .same { color: var(--soft); }
  .lost { background: var(--lost); }
  .heat .sum > * { border-bottom: 2px solid var(--line); }
  .heat.alone th { white-space: normal; overflow-wrap: anywhere; }
  .ranked { width: 100%; table-layout: auto; }
  .ranked th { text-align: left; font-weight: 400; overflow-wrap: anywhere; padding: .12rem .8rem .12rem 0;
    font-size: .92rem; }
  .ranked td { white-space: nowrap; padding: .12rem .6rem .12rem 0; font-variant-numeric: tabular-nums; }
  .ranked td:last-child { width: 40%; padding-right: 0; }
  .bar { display: block; width: 100%; height: .7rem; }
  .bad-bar { fill: var(--bad); }
  .tabs > input { position: absolute; opacity: 0; }
  .tabs > label { display: inline-block; padding: .2rem .8rem; margin: 0 .3rem .6rem 0;
    border: 1px solid var(--line); border-radius: 5px; cursor: pointer; }
  .tabs > input:checked + label { background: var(--ink); color: var(--page); }
  .tabs > input:focus-visible + label { outline: 2px solid var(--link); outline-offset: 2px; }
  .panel { display: none; }
  #heat-std:checked ~ #panel-std, #heat-max:checked ~ #panel-max, #heat-out:checked ~ #panel-out,
  #heat-mean:checked ~ #panel-mean { display: block; }

  .role { margin-bottom: .7rem; }
  .role h3 span { color: var(--soft); font-weight: 400; font-size: .85rem; margin-left: .6rem; }
  .multiples { display: flex; flex-wrap: wrap; gap: .35rem; }
  .cell { width: 84px; text-align: center; color: var(--soft); text-decoration: none;
    background: var(--panel); border-radius: 4px; padding: 2px 3px 0; }
  .cell.named { width: 150px; }
  .cell:hover { background: var(--line); }
  .cell svg { display: block; width: 100%; }
  .cell.named span { display: block; line-height: 1.25; padding: 2px 0 3px; overflow-wrap: anywhere;
    font-size: .76rem; }
  .bars { fill: var(--bars); }
  .zero { stroke: var(--soft); stroke-width: .7; stroke-dasharray: 2 2; }

  .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr));
    gap: 1rem 1.4rem; }
  .chart { min-width: 0; }
  .chart .numbers th, .chart .numbers td { padding: .1rem .7rem .1rem 0; }
  .chart .numbers thead th { vertical-align: bottom; line-height: 1.2; }
  .chart > svg { width: 100%; max-width: 420px; display: block; }
  .line { fill: none; stroke-width: 1.8; }
  .s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); stroke-dasharray: 6 3; }
  .s2 { stroke: var(--s2); stroke-dasharray: 2 3; }
  .axis { fill: none; stroke: var(--soft); }
  .grid { stroke: var(--line); stroke-width: .7; }
  .key { width: 24px; height: 8px; }

  .numbers { font-variant-numeric: tabular-nums; }
  .numbers th, .numbers td { padding: .15rem .6rem; text-align: right; white-space: nowrap;
    border-bottom: 1px solid var(--line); }
  .numbers tbody th { text-align: left; font-weight: 400; }
  .numbers .text { text-align: left; }
  .numbers thead th { font-size: .85rem; font-weight: 600; }
  .numbers thead button { font-weight: 600; border: 0; background: none; padding: 0; cursor: pointer; }
  [aria-sort="ascending"] button::after { content: " ↑"; }
  [aria-sort="descending"] button::after { content: " ↓"; }
  tr:target th, tr:target td { background: var(--d6); }
  .filter input { width: min(100%, 22rem); }
  .filter select { margin-right: .8rem; max-width: 100%; }

  @media (max-width: 640px) {
    body { font-size: 14px; }
    header > h1, main, footer, nav { padding-left: .8rem; padding-right: .8rem; }
    nav { position: static; }
    .treemap.wide { display: none; }
    .treemap.narrow { display: block; }
    .cell { width: 68px; }
    .cell.named { width: 46%; }
    .facts th { white-space: normal; }
    .ranked tr { display: grid; grid-template-columns: 6rem 1fr; }
    .ranked th { grid-column: 1 / -1; padding-bottom: 0; }
    .ranked td:last-child { width: auto; align-self: center; }
  }
  @page { size: A4 landscape; margin: 12mm; }
  @media print {
    body { font-size: 9pt; }
    nav, .skip, .tabs > input, .tabs > label, .output, .filter { display: none !important; }
    header > h1, main { max-width: none; padding: 0; }
    main { display: block; }
    .panel { display: block; }
    .scroll { overflow: visible; }
    h2, h3, figcaption, .caption { break-after: avoid; }
    p, figcaption, thead, tr, .chart, .role, .heat, .treemap, .kinds { break-inside: avoid; }
    .picture, .treemap { max-height: 145mm; width: auto; max-width: 100%; }
    a { color: inherit; text-decoration: none; }
    * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    .heat, .numbers { font-size: 7pt; }
    .heat { font-size: 6pt; }
    .heat td, .heat th, .numbers td, .numbers th { padding: .05rem .2rem; }
    .numbers thead th { white-space: normal; }
    .numbers tbody th, .numbers td:last-child { white-space: normal; overflow-wrap: anywhere; }
    .numbers thead { display: table-header-group; }
    .charts { grid-template-columns: repeat(3, 1fr); }
  }

  """
