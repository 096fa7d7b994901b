/** The frame around every page: navigation, theme, the page itself or what went wrong with it. */
import { signal, useSignalEffect } from "@preact/signals";
import { Component, type ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Page } from "../browser/page.js";
import { addressOf, path } from "../browser/route.js";
import { setTheme, type Theme, theme } from "../browser/theme.js";
import { Notice } from "../controls/notice.js";
import { acceptDrops, dragging, opening, refusal } from "../models/incoming.js";
import { home, ideas, pages, work } from "../pages/index.js";
import { KernelsMissing } from "./kernels.js";

/** The page that is shown: its code arrives a moment after its address. */
const shown = signal<{ page: Page; Content: ComponentType } | null>(null);
const failure = signal<string | null>(null);
const loaded = new Map<Page, ComponentType>();

async function show(page: Page): Promise<void> {
  failure.value = null;
  try {
    const Content = loaded.get(page) ?? (await page.load()).default;
    loaded.set(page, Content);
    // Meanwhile another page may have been asked for.
    if (current() === page) shown.value = { page, Content };
  } catch (error) {
    failure.value = `The page "${page.title}" could not be loaded: ${(error as Error).message}. Is the server still there?`;
  }
}

const current = () => pages.find((page) => page.path === path.value);

acceptDrops();

/** A fault of this program that nothing else has caught: said, not hidden in the console alone. */
const fault = signal<string | null>(null);
addEventListener("error", ({ message }) => {
  // Said of a size that is observed while it changes; harmless, and no fault.
  if (!message.startsWith("ResizeObserver")) fault.value = message;
});
addEventListener("unhandledrejection", ({ reason }) => {
  fault.value = reason instanceof Error ? reason.message : String(reason);
});

export function App() {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useSignalEffect(() => {
    const page = current();
    if (page) void show(page);
    else shown.value = null;
  });
  const now = shown.value;
  useEffect(() => {
    if (!now) return;
    document.title = now.page === home ? home.title : `${now.page.title} · Monotone Flows studio`;
    if (!first.current) {
      // A new page is read from its start, also by screen readers.
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [now?.page]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <Header />
      {dragging.value && <div class="drop-here">Drop a table or a model</div>}
      <main id="main" ref={main} tabIndex={-1}>
        <KernelsMissing />
        {fault.value && (
          <Notice kind="error" action={{ label: "Load the page again", run: () => location.reload() }}>
            Something went wrong in this page: {fault.value}
          </Notice>
        )}
        {opening.value && <Notice kind="info">Opening {opening.value}…</Notice>}
        {refusal.value && (
          <Notice
            kind="error"
            action={{
              label: "Close",
              run() {
                refusal.value = null;
              },
            }}
          >
            {refusal.value}
          </Notice>
        )}
        {failure.value && <Notice kind="error">{failure.value}</Notice>}
        {!current() && (
          <div class="page">
            <h1>No such page</h1>
            <Notice kind="error">
              There is no page at this address. <a href={addressOf("")}>Go to the first page</a>
            </Notice>
          </div>
        )}
        {now && (
          <Guard key={now.page.path} title={now.page.title}>
            {ideas.includes(now.page) ? <IdeaFrame page={now.page} Content={now.Content} /> : <now.Content />}
          </Guard>
        )}
      </main>
      <footer class="foot">
        monotone-flows {STUDIO_VERSION} · everything is computed in this browser, and nothing leaves it
      </footer>
    </>
  );
}

function Header() {
  const here = path.value;
  const inIdeas = ideas.some((page) => page.path === here);
  return (
    <header class="top">
      <a class="brand" href={addressOf("")} aria-current={here === "" ? "page" : undefined}>
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <path d="M4 28 L28 4" class="brand-line" />
          <path d="M4 27 C 14 26, 12 20, 16 16 S 18 6, 28 5" class="brand-curve" />
        </svg>
        <span>Monotone Flows</span>
      </a>
      <nav aria-label="Pages">
        <ul>
          {work.map((page) => (
            <li key={page.path}>
              <a href={addressOf(page.path)} aria-current={page.path === here ? "page" : undefined}>
                {page.title}
              </a>
            </li>
          ))}
          {ideas.length > 0 && (
            <li>
              <a href={addressOf(ideas[0].path)} aria-current={inIdeas ? "true" : undefined}>
                The ideas
              </a>
            </li>
          )}
        </ul>
      </nav>
      <label class="theme">
        <span class="visually-hidden">Colours</span>
        <select
          value={theme.value}
          onChange={(event) => setTheme(event.currentTarget.value as Theme)}
          aria-label="Colours"
        >
          <option value="system">Auto</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
    </header>
  );
}

/** A page of an idea, with the way to the others. */
function IdeaFrame({ page, Content }: { page: Page; Content: ComponentType }) {
  const at = ideas.indexOf(page);
  const [before, after] = [ideas[at - 1], ideas[at + 1]];
  return (
    <div class="ideas">
      <nav class="ideas-list" aria-label="The ideas">
        <ol>
          {ideas.map(({ path, title }) => (
            <li key={path}>
              <a href={addressOf(path)} aria-current={path === page.path ? "page" : undefined}>
                {title}
              </a>
            </li>
          ))}
        </ol>
      </nav>
      <div class="ideas-page">
        <Content />
        <nav class="ideas-ends" aria-label="Before and after">
          {before ? <a href={addressOf(before.path)}>← {before.title}</a> : <span />}
          {after ? <a href={addressOf(after.path)}>{after.title} →</a> : <span />}
        </nav>
      </div>
    </div>
  );
}

/** A page that throws while it is drawn says so instead of leaving a blank. */
class Guard extends Component<{ title: string }, { error: Error | null }> {
  override state = { error: null };

  static override getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state as { error: Error | null };
    if (error === null) return this.props.children;
    return (
      <Notice kind="error" action={{ label: "Show it again", run: () => this.setState({ error: null }) }}>
        The page "{this.props.title}" has a fault: {error.message}
      </Notice>
    );
  }
}
