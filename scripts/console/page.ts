/** The page of the console: what stands still in it, and its style. Its script fills in the rest. */
import { escapeHtml } from '../../src/flows/html.ts';
import { BASE_STYLE } from '../../src/flows/page-style.ts';
import { GRANTABLE } from '../../src/rules/consent/simple.ts';
import { OFFERED } from './actions.ts';
import { CLASSES } from './words.ts';

const STYLE = `${BASE_STYLE}
header{background:var(--card);border-bottom:1px solid var(--line)}
header .wide{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem 1rem;padding-top:.7rem;padding-bottom:.7rem}
header h1{flex:1 1 auto}
header h1 span{color:var(--quiet);font-weight:400}
.intro{padding:1.2rem 0 .1rem}
.lead{font-size:1.2rem;line-height:1.4;font-weight:600;letter-spacing:-.01em;max-width:48rem}
.grid{display:grid;gap:1rem;margin:1rem 0 2.5rem;grid-template-columns:minmax(0,1fr)}
@media (min-width:1000px){.grid{grid-template-columns:minmax(0,1.9fr) minmax(0,1fr);align-items:start}}
.stack{display:grid;gap:1rem;min-width:0}
button,select,input{font:inherit;color:inherit}
button{border:1px solid var(--edge);border-radius:8px;background:var(--card);padding:.45rem .85rem;cursor:pointer;min-height:2.5rem;font-weight:600}
button:hover{background:var(--soft)}
button.main{background:var(--source);border-color:var(--source);color:var(--card)}
button.main:hover{filter:brightness(1.08)}
button.stop{border-color:var(--bad);color:var(--bad)}
button[hidden]{display:none}
button:disabled{opacity:.55;cursor:progress}
select,input[type=number]{border:1px solid var(--edge);border-radius:8px;background:var(--card);padding:.4rem .6rem;min-height:2.5rem;max-width:100%}
label{display:block;font-size:.85rem;color:var(--quiet)}
label select,label input[type=number]{display:block;margin-top:.2rem;color:var(--ink);width:100%}
.row{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end}
.row>label{flex:1 1 8rem}
fieldset{border:0;margin:0;padding:0;min-width:0}
legend{padding:0;font-size:.85rem;color:var(--quiet);margin-bottom:.3rem}
.checks{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.1rem .8rem;margin:.4rem 0 .8rem}
.checks label,.tick{display:flex;gap:.5rem;align-items:center;font-size:.92rem;color:var(--ink);min-height:1.9rem}
.checks input,.tick input{width:1.1rem;height:1.1rem;accent-color:var(--source);flex:none;margin:0}
.card .state{margin-top:.9rem;font-size:1.3rem;font-weight:650;line-height:1.3;letter-spacing:-.01em;margin-bottom:.1rem}
.buttons{display:flex;flex-wrap:wrap;gap:.6rem 1rem;margin-top:.8rem}
#choose{margin-top:.9rem;border-top:1px solid var(--line);padding-top:.7rem}
summary{cursor:pointer}
#choose>summary{font-weight:600;color:var(--source);padding:.15rem 0}
#choose[open]>summary{margin-bottom:.4rem}
.sides{padding:0;overflow:hidden}
.heads{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);border-bottom:1px solid var(--line)}
.heads>div{padding:.9rem 1.1rem;border-top:4px solid var(--source)}
.heads>div+div{border-top-color:var(--replica);border-left:1px solid var(--line)}
.heads b{display:block;font-size:1.6rem;line-height:1.15;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
#records>li+li{border-top:1px solid var(--line)}
#records summary{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);list-style:none}
#records summary::-webkit-details-marker{display:none}
#records summary:hover{background:var(--soft)}
#records summary:focus-visible{outline-offset:-3px}
.cell{padding:.4rem 1.1rem .5rem;min-width:0;line-height:1.4}
.cell+.cell{border-left:1px solid var(--line)}
.cell b{display:block;font-weight:600;line-height:1.35}
.kind{font-size:.75rem;color:var(--quiet);display:flex;gap:.5em;justify-content:space-between}
.tag{font-weight:600}
.copied .tag{color:var(--replica)}
.older .tag,.waiting .tag{color:var(--warn)}
.leaving .tag{color:var(--bad)}
.stays .cell+.cell{background:repeating-linear-gradient(135deg,transparent 0 7px,var(--soft) 7px 8px)}
.stays .cell+.cell b{font-weight:400;color:var(--quiet)}
.new{animation:arrive 1.6s ease-out}
@keyframes arrive{from{background:color-mix(in srgb,var(--replica) 30%,transparent)}}
.more{padding:.4rem 1.1rem 1.1rem;background:var(--page);border-top:1px solid var(--line)}
.card .more h3{font-size:.85rem;margin:.8rem 0 .25rem}
.more li{margin:.2rem 0}
.two{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr))}
pre{margin:0;padding:.7rem .8rem;border:1px solid var(--line);border-radius:8px;background:var(--card);font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;max-height:22rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.segments{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.4rem}
.segments label{display:flex;gap:.5rem;align-items:center;border:1px solid var(--line);border-radius:8px;padding:.35rem .6rem;color:var(--ink);min-height:2.5rem;font-size:.92rem}
.segments label:has(:checked){border-color:var(--source);background:var(--soft);font-weight:600}
.segments input{accent-color:var(--source);margin:0;width:1rem;height:1rem;flex:none}
.segments label:has(:focus-visible){outline:3px solid var(--source);outline-offset:2px}
.card h2+*{margin-top:.5rem}
.card h3{margin:1.1rem 0 .5rem}
.runs{display:flex;flex-wrap:wrap;gap:.5rem}
.runs button{font-weight:500;font-size:.9rem;padding:.35rem .7rem}
#journal{height:19rem;overflow:auto;margin:.6rem -1.2rem -1.1rem;border-top:1px solid var(--line)}
#journal:empty::before{content:"Nothing yet. Give consent, and see.";display:block;padding:.8rem 1.2rem;color:var(--quiet);font-size:.9rem}
#journal>li{padding:.5rem 1.2rem;border-bottom:1px solid var(--line);font-size:.9rem}
#journal .at{color:var(--quiet);font-size:.78rem;font-variant-numeric:tabular-nums;display:flex;justify-content:space-between}
#journal .you{border-left:4px solid var(--source);background:var(--soft)}
#journal .bot{border-left:4px solid var(--good)}
#journal .wire{border-left:4px solid var(--replica)}
#journal .isbad{border-left-color:var(--bad)}
#journal .isbad .what{color:var(--bad)}
#journal h3{font-size:.8rem;margin:.5rem 0 .2rem;font-weight:600;overflow-wrap:anywhere}
#said{align-self:center;font-weight:600;color:var(--replica)}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem 1rem;z-index:2}
@media (max-width:999px){#records{max-height:34rem;overflow:auto}}
@media (max-width:480px){.heads>div{padding-top:.7rem;padding-bottom:.7rem}.kind{flex-wrap:wrap}.lead{font-size:1.05rem}.segments label{padding:.3rem .45rem}main,.wide{padding-left:.8rem;padding-right:.8rem}.cell,.heads>div{padding-left:.7rem;padding-right:.7rem}.card:not(.sides){padding:.9rem}#journal{margin:.6rem -.9rem -.9rem}#journal>li{padding-left:.9rem;padding-right:.9rem}}
`;

const CONDITION_LABELS = [
  ['up', 'Works'],
  ['down', 'Down'],
  ['slow', 'Slow'],
  ['throttled', 'Refuses (429)'],
] as const;

/**
 * @param script - What runs in it.
 * @param token - What it shows to the API.
 * @returns The document, and its style for the policy.
 */
export function consolePage(script: string, token: string): { readonly html: string; readonly style: string } {
  const checks = GRANTABLE.map(
    (name) => `<label><input type="checkbox" name="class" value="${name}">${escapeHtml(CLASSES[name] ?? name)}</label>`
  ).join('');
  const conditions = CONDITION_LABELS.map(
    ([value, label]) =>
      `<label><input type="radio" name="condition" value="${value}"${value === 'up' ? ' checked' : ''}>${label}</label>`
  ).join('');
  const runs = OFFERED.map(
    ([bot, label, why]) =>
      `<button type="button" data-run="${bot}" title="${escapeHtml(why)}">${escapeHtml(label)}</button>`
  ).join('');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="console-token" content="${token}"><title>Consent sync – sandbox</title><style>${STYLE}</style></head><body>
<a class="skip" href="#sides">To the records</a>
<header><div class="wide"><h1>Consent sync <span>sandbox</span></h1><span id="health" class="pill good">Replica works</span><a href="/status" target="_blank" rel="noopener">Status page</a></div></header>
<main>
<div class="intro"><p class="lead">Nothing goes from left to right without the patient’s consent. Give it, and see what arrives. Revoke it, and see it go.</p>
<p class="quiet">Left, a clinic’s own records; right, what another organisation holds of them. The patients are made up, and nothing leaves this machine.</p></div>
<div class="grid"><div class="stack">
<section class="card" aria-labelledby="consent-title">
<div class="row"><label>Patient<select id="patient"></select></label></div>
<h2 id="consent-title" class="skip">Consent</h2>
<p id="consent-state" class="state"></p><p id="consent-says" class="quiet"></p>
<div class="buttons"><button type="button" id="grant" class="main">Give consent</button><button type="button" id="revoke" class="stop" hidden>Revoke consent</button><p id="said" role="status" aria-live="polite"></p></div>
<details id="choose"><summary>Choose what is shared</summary><form id="classes"><fieldset><legend>Of this patient’s records</legend><div class="checks">${checks}</div></fieldset>
<button>Share only this</button></form></details>
</section>
<section class="card sides" id="sides" aria-label="Records on both sides">
<div class="heads"><div><h2>Here, identified</h2><b id="here">–</b><span class="quiet small">records of the clinic (source)</span></div>
<div><h2>There, by consent</h2><b id="there">–</b><span class="quiet small" id="token">copies without identity (replica)</span></div></div>
<ul id="records" tabindex="0" aria-label="Records, each with its copy"></ul>
</section></div>
<div class="stack">
<section class="card" aria-labelledby="happened"><h2 id="happened">What happened</h2>
<p class="quiet small">Newest first. Every request to the replica is here: open one to read what left, and what came back.</p>
<ol id="journal" tabindex="0" aria-labelledby="happened"></ol></section>
<section class="card" aria-labelledby="change"><h2 id="change">Change something</h2>
<form id="edit"><div class="row"><label>Measurement<select id="record"></select></label><label>New value<input type="number" id="value" step="any" required></label></div>
<label class="tick"><input type="checkbox" id="lost">Lose the event, as networks do</label>
<div class="buttons"><button>Save</button></div></form>
<h3 id="break">Break the replica</h3><fieldset aria-labelledby="break"><div class="segments">${conditions}</div></fieldset>
<h3>Run what is scheduled</h3><div class="runs">${runs}</div>
<p class="quiet small" id="queue"></p></section>
</div></div></main><script>${script}</script></body></html>
`;
  return { html, style: STYLE };
}
