"""How a report looks on a screen and on paper (A4)."""

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1a1a1a;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 0.6rem; padding-top: 0.6rem; border-top: 1px solid #d5d5d5; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 0.4rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.lead { font-size: 1.15rem; max-width: none; }
.warning { border-left: 4px solid #b45309; background: #fff7ed; padding: 0.5rem 0.8rem; max-width: none; }
.remark { color: #444; font-size: 0.92rem; margin: 0.3rem 0; }
nav { font-size: 0.92rem; margin: 1rem 0; }
a { color: #0b5394; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.2rem 0; }
th, td { padding: 0.25rem 0 0.25rem 1rem; text-align: right; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid #e5e5e5; }
th { border-bottom: 1.5px solid #555; white-space: normal; vertical-align: bottom; }
td.long { white-space: normal; min-width: 11rem; max-width: 40rem; overflow-wrap: break-word; }
th:first-child, td:first-child { padding-left: 0; }
figure { margin: 1.6rem 0 2rem; }
figure svg { display: block; max-width: 100%; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { max-width: 46rem; margin-top: 0.4rem; font-size: 0.95rem; color: #333; }
details { margin: 0.5rem 0; font-size: 0.95rem; }
summary { cursor: pointer; color: #0b5394; }
pre { background: #f6f6f6; border: 1px solid #e5e5e5; padding: 0.7rem 0.9rem; font-size: 0.85rem; line-height: 1.45;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@page { size: A4; margin: 16mm 15mm; }
@media print {
  html { font-size: 10pt; }
  body { font-size: 10pt; line-height: 1.4; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  a { color: inherit; text-decoration: none; }
  h1 { font-size: 16pt; } h2 { font-size: 12.5pt; margin-top: 14pt; } h3 { font-size: 11pt; }
  h1, h2, h3, caption, summary { break-after: avoid; }
  figure { break-inside: avoid; margin: 8pt 0 10pt; }
  figure svg { max-height: 215mm; }
  tr, li, .warning { break-inside: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8.5pt; } th, td { padding-left: 7pt; } td.words { white-space: normal; }
  td.long { min-width: 0; } .many table { font-size: 6.5pt; } .many th, .many td { padding-left: 3pt; }
  figure > details { display: none; }
  pre { font-size: 8pt; }
}
"""
