import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TextPart, safeHref, splitLinks } from '../../../static/src/ui/text/links.ts';

function shown(parts: readonly TextPart[]): string {
  return parts.map((part) => (typeof part === 'string' ? part : part.text)).join('');
}

function hrefs(text: string): readonly string[] {
  return splitLinks(text).flatMap((part) => (typeof part === 'string' ? [] : [part.href]));
}

test('addresses are found, and the sentence around them stays text', () => {
  assert.deepEqual(splitLinks('see https://example.org/a?b=c#d, then'), ['see ', { text: 'https://example.org/a?b=c#d', href: 'https://example.org/a?b=c#d' }, ', then']);
  assert.deepEqual(hrefs('(https://example.org/wiki/Lock_(water)) and http://example.net.'), ['https://example.org/wiki/Lock_(water)', 'http://example.net/']);
  assert.deepEqual(hrefs('mailto:keeper@example.org!'), ['mailto:keeper@example.org']);
  assert.deepEqual(hrefs('HTTPS://EXAMPLE.ORG/A'), ['https://example.org/A']);
  assert.deepEqual(hrefs('„https://example.org/ü“'), ['https://example.org/%C3%BC%E2%80%9C']);
  assert.deepEqual(hrefs('https://a.example\nhttps://b.example'), ['https://a.example/', 'https://b.example/']);
});

test('attack_34: no other scheme is ever clickable', () => {
  const schemes = ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'data:text/html,<script>alert(1)</script>',
    'vbscript:x', 'file:///etc/passwd', 'blob:https://example.org/1', 'ftp://example.org', 'tel:+1', 'sms:+1', 'intent://x#Intent;end',
    'chrome://settings', 'about:blank', 'view-source:https://example.org', 'ws://example.org', 'filesystem:https://example.org/x', '//example.org', 'www.example.org',
    'javascript://example.org/%0aalert(1)', ' javascript:alert(1)', '\u0001javascript:alert(1)', 'feed:javascript:alert(1)', 'jar:https://example.org!/'];
  for (const text of schemes) {
    for (const href of hrefs(text)) assert.match(href, /^https:\/\/example\.org/, text);
    assert.equal(safeHref(text), null, text);
  }
});

test('attack_34: what looks like another host stays text', () => {
  for (const text of ['https://good.example@evil.example/', 'https://user:secret@evil.example', 'http://', 'https://[', 'https:///', 'mailto:', 'mailto:nobody', 'https://exa mple.org@', `https://example.org/${'a'.repeat(3000)}`]) {
    assert.deepEqual(hrefs(text).filter((href) => !href.startsWith('https://exa/')), [], text);
  }
});

test('attack_34: bidirectional and invisible characters end an address', () => {
  for (const character of ['\u202e', '\u2066', '\u200f', '\u200b', '\u061c', '\ufeff', '\u0000', '\u2028']) {
    assert.deepEqual(hrefs(`https://example.org/${character}gro.live`), ['https://example.org/'], character.codePointAt(0)?.toString(16));
  }
});

test('markup in an address ends it or is escaped, and no text is lost or added', () => {
  const payloads = ['https://example.org/<img src=x onerror=alert(1)>', 'https://example.org/"onmouseover="alert(1)', "https://example.org/'onclick='x", 'https://example.org/`${x}`',
    '<a href="https://example.org">x</a>', 'https://example.org/&lt;script&gt;', 'xhttps://example.org', 'https://https://example.org', 'mailto:a@b?subject=x%0d%0aBcc:c@d', '', ' ', '))))', 'https://example.org/))))…!?'];
  for (const text of payloads) {
    assert.equal(shown(splitLinks(text)), text);
    for (const href of hrefs(text)) assert.doesNotMatch(href, /[<>"\s]/, text);
  }
});

test('long hostile text is split in reasonable time', () => {
  const begun = performance.now();
  for (const text of ['https://'.repeat(4_000), `https://${'('.repeat(30_000)}`, `https://example.org/${')'.repeat(2_000)}`, 'mailto:'.repeat(4_000)]) {
    assert.equal(shown(splitLinks(text)), text);
  }
  assert.ok(performance.now() - begun < 5_000);
});
