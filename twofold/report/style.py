"""How the pages look: one style sheet, for a bright screen, a dark one, a small one, and paper.

Colours are named once, as variables. The series colours `--c0` … `--c9` are a palette that people
with the usual colour-vision deficiencies can tell apart (after Okabe and Ito 2008, extended);
charts also name every group in words, so that no meaning rests on colour alone.
"""

LIGHT = """
--paper:#faf9f6;--card:#fff;--ink:#1c2430;--soft:#586272;--line:#e2dfd7;--grid:#eceae4;
--accent:#1f5f8b;--warm:#b3541e;--good:#24734a;--wash:#eef3f6;
--c0:#1f6fa8;--c1:#d1651a;--c2:#2a8f5b;--c3:#a8487f;--c4:#8a6d1a;--c5:#3aa6b9;--c6:#c23b3b;
--c7:#6a59b5;--c8:#6f7a1c;--c9:#5b6472;
"""
DARK = """
--paper:#14181e;--card:#1b2129;--ink:#e6e9ee;--soft:#a2acba;--line:#313a46;--grid:#28303a;
--accent:#7fbfe6;--warm:#f0a26b;--good:#74cf9f;--wash:#202b35;
--c0:#63aee0;--c1:#f0985a;--c2:#5fc793;--c3:#dd87b7;--c4:#d4b54f;--c5:#74d0e0;--c6:#ef7d7d;
--c7:#a99bf0;--c8:#b5c24f;--c9:#a2acba;
"""
COLOURS = 10
SERIES = "".join(f".s{i}{{stroke:var(--c{i})}}.f{i}{{fill:var(--c{i})}}" for i in range(COLOURS))

STYLE = f"""
:root{{{LIGHT}}}
@media (prefers-color-scheme:dark){{:root{{{DARK}}}}}
{SERIES}
*{{box-sizing:border-box}}
html{{scroll-behavior:smooth;-webkit-text-size-adjust:100%}}
body{{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}}
main{{max-width:61rem;margin:0 auto;padding:3rem 1.25rem 4rem}}
h1{{font-size:2rem;line-height:1.2;letter-spacing:-.015em;margin:0 0 .6rem;font-weight:650;
overflow-wrap:anywhere}}
h2{{font-size:1.3rem;letter-spacing:-.01em;margin:0 0 .5rem;font-weight:620}}
h3{{font-size:1rem;margin:1.4rem 0 .3rem;font-weight:620}}
p{{margin:.4rem 0 .8rem;max-width:46rem}}
.lead{{font-size:1.1rem;color:var(--soft);max-width:46rem}}
.lead strong{{color:var(--ink);font-weight:600}}
section{{margin-top:2.2rem;padding:1.5rem 1.6rem 1.2rem;background:var(--card);
border:1px solid var(--line);border-radius:12px}}
#verdict{{border-left:5px solid var(--accent)}}
#verdict ul{{font-size:1.06rem;list-style:none;padding:0;margin:.4rem 0}}
#verdict li{{padding:.28rem 0 .28rem 1.4rem;position:relative;max-width:48rem}}
#verdict li::before{{content:"";position:absolute;left:.1rem;top:.95em;width:.5rem;height:.5rem;
border-radius:50%;background:var(--accent)}}
nav{{display:flex;flex-wrap:wrap;gap:.35rem .5rem;margin:1.4rem 0 0}}
nav a{{font-size:.86rem;padding:.18rem .7rem;border:1px solid var(--line);border-radius:99px;
color:var(--soft);text-decoration:none;background:var(--card)}}
nav a:hover,nav a:focus-visible{{color:var(--accent);border-color:var(--accent)}}
a{{color:var(--accent)}}
:focus-visible{{outline:2px solid var(--accent);outline-offset:2px}}
figure{{margin:1rem 0 1.2rem}}
figcaption{{font-size:.88rem;color:var(--soft);margin-top:.5rem;max-width:46rem}}
img{{display:block;max-width:100%;height:auto;border-radius:4px}}
.pixel{{image-rendering:pixelated}}
.sheet{{width:100%;max-width:42rem}}
.strips{{display:grid;grid-template-columns:auto 1fr;gap:.3rem .9rem;align-items:center}}
.strips span{{font-size:.86rem;color:var(--soft);text-align:right;max-width:9rem;
overflow-wrap:anywhere;line-height:1.25}}
.strips img{{width:100%}}
.film{{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.9rem}}
.film figure{{margin:0}}
.film figcaption{{margin-top:.25rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}}
.charts{{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem 1.3rem;
margin:1rem 0}}
.charts figure{{margin:0}}
.pair{{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:1.2rem;
margin:1rem 0}}
.pair figure{{margin:0}}
svg{{display:block;width:100%;height:auto;font:11px system-ui,-apple-system,"Segoe UI",Roboto,
sans-serif;fill:var(--soft)}}
svg .axis{{stroke:var(--soft);stroke-width:1;fill:none}}
svg .grid{{stroke:var(--grid);stroke-width:1;fill:none}}
svg .curve{{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}}
svg .faint{{stroke-width:1.1;opacity:.55}}
svg .mark{{stroke:var(--soft);stroke-dasharray:3 3;fill:none}}
svg .name{{fill:var(--ink);font-weight:600}}
svg .halo{{fill:var(--ink);font-weight:650;font-size:13px;paint-order:stroke;
stroke:var(--card);stroke-width:3.5px;stroke-linejoin:round}}
svg .dot{{opacity:.72}}
svg .band{{opacity:.34}}
svg .step{{fill:none;stroke-width:1.6}}
svg .span{{stroke:var(--accent);stroke-width:3;stroke-linecap:round;opacity:.42}}
svg .value{{fill:var(--accent)}}
svg .floor{{stroke:var(--good);stroke-width:2}}
svg .base{{fill:none;stroke:var(--warm);stroke-width:1.6}}
.map{{max-width:42rem}}
.inline{{width:10.5rem;margin:.15rem 0 0 -.5rem}}
.key{{font-size:.86rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;
margin:.4rem 0 .8rem}}
.key span{{display:inline-flex;align-items:center;gap:.4rem}}
.key svg{{width:1.6rem;height:.9rem;display:inline-block;flex:none}}
.wide{{overflow-x:auto;margin:1rem 0}}
table{{border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.4}}
caption{{text-align:left;color:var(--soft);font-size:.88rem;padding-bottom:.5rem}}
th,td{{padding:.45rem .8rem .45rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)}}
thead th{{font-size:.8rem;color:var(--soft);font-weight:600;white-space:nowrap;
border-bottom:1.5px solid var(--soft)}}
tbody th{{font-weight:600}}
tbody tr:last-child th,tbody tr:last-child td{{border-bottom:0}}
td{{font-variant-numeric:tabular-nums}}
.rows th,.rows td{{white-space:nowrap}}
.measures td:nth-child(2),.measures td:nth-child(3){{white-space:nowrap}}
.measures tbody th{{width:38%}}
small,.note{{display:block;font-size:.82rem;color:var(--soft);font-weight:400;max-width:26rem;
white-space:normal}}
.best{{color:var(--good);font-weight:650}}
.best::after{{content:" ✓"}}
dl{{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.8rem 1.6rem;
margin:.9rem 0}}
dt{{font-size:.8rem;color:var(--soft);font-weight:600}}
dd{{margin:.05rem 0 0;overflow-wrap:anywhere}}
details{{margin:.8rem 0}}
summary{{cursor:pointer;color:var(--accent);font-weight:550}}
pre{{background:var(--wash);padding:.9rem 1rem;border-radius:8px;overflow-x:auto;
font:.82rem/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:.6rem 0}}
code{{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}}
.plain{{padding-left:1.1rem;margin:.4rem 0}}
.plain li{{margin:.25rem 0;max-width:46rem}}
.level{{font-weight:620;color:var(--warm)}}
footer{{margin-top:2.4rem;font-size:.84rem;color:var(--soft);max-width:46rem}}
@media (max-width:40rem){{main{{padding:1.6rem .8rem 3rem}}section{{padding:1.1rem 1rem .8rem}}
h1{{font-size:1.6rem}}.strips{{grid-template-columns:1fr}}.strips span{{text-align:left;
max-width:none}}}}
@media print{{:root{{{LIGHT}}}body{{background:#fff;font-size:10.5pt}}nav{{display:none}}
section{{border:0;border-top:1px solid var(--line);border-radius:0;padding:1rem 0}}
figure,tr,.strips{{break-inside:avoid}}h2,h3{{break-after:avoid}}main{{max-width:none;padding:0}}
.wide{{overflow:visible}}}}
"""
