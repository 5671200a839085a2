/* The surface of Stripe.js that a checkout with a Payment Element and a ConfirmationToken uses, served by the sandbox.
   Card data stays in an iframe of the sandbox's origin; this script, on the shop's page, never sees it. */
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const FRAME_TITLE = "Card details";
  const OUTSET = 6; // room for the focus ring inside the frame

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  class Element {
    constructor(elements, options) {
      this._elements = elements;
      this._options = options;
      this._listeners = new Map();
      this._waiting = new Map();
      this._next = 1;
      this._frame = null;
      this._hear = this._hear.bind(this);
    }

    mount(place) {
      const node = typeof place === "string" ? document.querySelector(place) : place;
      if (!node) throw new IntegrationError(`Nothing matches ${place}: the element cannot be mounted.`);
      if (this._frame) this.unmount();
      const frame = document.createElement("iframe");
      frame.title = FRAME_TITLE;
      frame.src = `${ORIGIN}/frame/card`;
      frame.allow = "payment *";
      const look = { border: "0", display: "block", width: `calc(100% + ${2 * OUTSET}px)`, margin: `-${OUTSET}px`,
        height: "280px", maxWidth: "none" };
      Object.assign(frame.style, look);
      frame.addEventListener("load", () => this._greet());
      window.addEventListener("message", this._hear);
      this._frame = frame;
      node.replaceChildren(frame);
    }

    unmount() {
      window.removeEventListener("message", this._hear);
      if (this._frame) this._frame.remove();
      this._frame = null;
      for (const answer of this._waiting.values()) answer({ error: { type: "api_error", message: "Unmounted." } });
      this._waiting.clear();
    }

    destroy() {
      this.unmount();
      this._elements._forget(this);
    }

    on(event, listener) {
      if (!this._listeners.has(event)) this._listeners.set(event, new Set());
      this._listeners.get(event).add(listener);
      return this;
    }

    off(event, listener) {
      if (listener) this._listeners.get(event)?.delete(listener);
      else this._listeners.delete(event);
      return this;
    }

    once(event, listener) {
      const first = (value) => {
        this.off(event, first);
        listener(value);
      };
      return this.on(event, first);
    }

    focus() { this._ask("focus"); }
    clear() { this._ask("clear"); }
    blur() { this._frame?.blur(); }
    collapse() {}
    update(options) { this._options = { ...this._options, ...options }; }

    async _greet() {
      const { appearance = {}, fonts = [] } = this._elements._options;
      const frame = this._frame;
      const greeting = this._ask("hello", { variables: { ...(appearance.variables || {}) }, fonts });
      const late = new Promise((done) => setTimeout(done, 10000, null));
      const answer = await Promise.race([greeting, late]);
      if (frame !== this._frame) return;
      if (!answer || answer.error) {
        const error = { type: "api_connection_error", message: "The card form did not load." };
        this._emit("loaderror", { elementType: "payment", error });
        return;
      }
      this._size(answer.height);
      this._emit("ready", { elementType: "payment" });
    }

    _ask(order, more = {}) {
      if (!this._frame) return Promise.reject(new IntegrationError("The element is not mounted."));
      const id = this._next++;
      const answer = new Promise((done) => this._waiting.set(id, done));
      this._frame.contentWindow.postMessage({ sandbox: 1, id, do: order, ...more }, ORIGIN);
      return answer;
    }

    _hear(event) {
      if (!this._frame || event.origin !== ORIGIN || event.source !== this._frame.contentWindow) return;
      const said = event.data;
      if (!said || said.sandbox !== 1) return;
      if (this._waiting.has(said.id)) {
        this._waiting.get(said.id)(said.result);
        this._waiting.delete(said.id);
      } else if (said.event === "size") {
        this._size(said.height);
      } else if (said.event === "change") {
        const { complete, empty } = said;
        this._emit("change", { elementType: "payment", collapsed: false, complete, empty, value: { type: "card" } });
      } else if (said.event) {
        this._emit(said.event, { elementType: "payment" });
      }
    }

    _size(height) {
      if (Number.isFinite(height) && height > 0) this._frame.style.height = `${Math.ceil(height)}px`;
    }

    _emit(event, value) {
      for (const listener of [...(this._listeners.get(event) || [])]) listener(value);
    }
  }

  class Elements {
    constructor(options) {
      this._options = options;
      this._element = null;
      this._submitted = false;
    }

    create(type, options = {}) {
      if (type !== "payment") throw new IntegrationError(`The sandbox knows one element: payment, not ${type}.`);
      if (this._element) throw new IntegrationError("Can only create one Element of type payment.");
      this._element = new Element(this, options);
      return this._element;
    }

    getElement(type) {
      return type === "payment" ? this._element : null;
    }

    update(options) {
      this._options = { ...this._options, ...options };
    }

    async submit() {
      if (!this._element) throw new IntegrationError("Create and mount a Payment Element before elements.submit().");
      const result = await this._element._ask("submit");
      this._submitted = !result.error;
      return result;
    }

    _forget() {
      this._element = null;
    }
  }

  function Stripe(key, options = {}) {
    if (typeof key !== "string" || !/^pk_(test|live)_/.test(key)) {
      throw new IntegrationError("Stripe() needs a publishable key, which begins with pk_.");
    }

    async function retrievePaymentIntent(clientSecret) {
      const identity = String(clientSecret).split("_secret_")[0];
      const query = new URLSearchParams({ key, client_secret: clientSecret });
      try {
        const answer = await fetch(`${ORIGIN}/v1/payment_intents/${encodeURIComponent(identity)}?${query}`);
        const thing = await answer.json();
        return answer.ok ? { paymentIntent: thing } : { error: thing.error };
      } catch {
        return { error: { type: "api_connection_error", message: "The payment service could not be reached." } };
      }
    }

    return {
      elements(given = {}) {
        const { mode, amount, currency } = given;
        if (mode !== "payment" || !Number.isInteger(amount) || amount <= 0 || typeof currency !== "string") {
          throw new IntegrationError("elements() needs mode: 'payment', a whole amount above 0 and a currency.");
        }
        return new Elements({ locale: options.locale, ...given });
      },

      async createConfirmationToken({ elements, params = {} } = {}) {
        if (!(elements instanceof Elements)) throw new IntegrationError("createConfirmationToken() needs elements.");
        if (!elements._submitted) {
          throw new IntegrationError("Call elements.submit() before stripe.createConfirmationToken().");
        }
        elements._submitted = false;
        return elements._element._ask("token", { key, params: JSON.parse(JSON.stringify(params)) });
      },

      retrievePaymentIntent,

      async handleNextAction({ clientSecret }) {
        const found = await retrievePaymentIntent(clientSecret);
        if (found.error || found.paymentIntent.status !== "requires_action") return found;
        const message = "The sandbox has no bank to ask, so that this payment cannot be authenticated.";
        return { error: { type: "invalid_request_error", code: "payment_intent_authentication_failure", message,
          payment_intent: found.paymentIntent } };
      },
    };
  }

  Stripe.version = "sandbox";
  window.Stripe = Stripe;
})();
