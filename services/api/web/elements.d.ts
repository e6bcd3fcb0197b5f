// The members of page elements that the scripts in static/ use. A type checker cannot know which element a template has
// under an id, so one interface has all members that the scripts use, and no others.

interface PageElement extends HTMLElement {
  checked: boolean;
  complete: boolean;
  content: string & DocumentFragment;
  dataset: Record<string, string>;
  dateTime: string;
  disabled: boolean;
  elements: Record<string, PageElement> & Iterable<PageElement>;
  files: FileList;
  firstElementChild: PageElement;
  href: string;
  labels: NodeListOf<HTMLLabelElement>;
  max: number | string;
  name: string;
  naturalHeight: number;
  naturalWidth: number;
  open: boolean;
  parentElement: PageElement;
  readOnly: boolean;
  required: boolean;
  returnValue: string;
  rows: HTMLCollectionOf<PageElement>;
  search: string;
  selectedOptions?: HTMLCollectionOf<HTMLOptionElement>;
  src: string;
  type: string;
  value: any;
  valueAsNumber: number;
  checkValidity(): boolean;
  close(): void;
  decode(): Promise<void>;
  getContext(kind: "2d"): CanvasRenderingContext2D;
  reset(): void;
  showModal(): void;
}

interface ParentNode {
  querySelector(selectors: string): PageElement;
  querySelectorAll(selectors: string): NodeListOf<PageElement>;
}

interface Element {
  closest(selectors: string): PageElement;
}

interface NonElementParentNode {
  getElementById(id: string): PageElement;
}

interface Document {
  getElementById(id: string): PageElement;
}

// Events come from elements of the page.

type From<E extends Event> = E & { readonly target: PageElement };

interface HTMLElement {
  addEventListener<K extends keyof HTMLElementEventMap>(
    kind: K, listener: (event: From<HTMLElementEventMap[K]>) => unknown, options?: AddEventListenerOptions): void;
  addEventListener(kind: string, listener: (event: From<Event>) => unknown, options?: AddEventListenerOptions): void;
}

interface Document {
  addEventListener<K extends keyof DocumentEventMap>(
    kind: K, listener: (event: From<DocumentEventMap[K]>) => unknown, options?: AddEventListenerOptions): void;
  addEventListener(kind: string, listener: (event: From<Event>) => unknown, options?: AddEventListenerOptions): void;
}
