// What the scripts in static/ may ask of an element that they know by its place in a template. Which element stands
// there, a type checker cannot know: it has every member that the scripts use, and no others.

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
    kind: K, heard: (event: From<HTMLElementEventMap[K]>) => unknown, options?: AddEventListenerOptions): void;
  addEventListener(kind: string, heard: (event: From<Event>) => unknown, options?: AddEventListenerOptions): void;
}

interface Document {
  addEventListener<K extends keyof DocumentEventMap>(
    kind: K, heard: (event: From<DocumentEventMap[K]>) => unknown, options?: AddEventListenerOptions): void;
  addEventListener(kind: string, heard: (event: From<Event>) => unknown, options?: AddEventListenerOptions): void;
}
