/* The part of Stripe.js that a checkout with a Payment Element and a ConfirmationToken needs, served by the sandbox.
   Card details stay in an iframe on the sandbox's origin; this script, in the shop's page, never sees them. */
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const FRAME_TITLE = "Card details";
  const FOCUS_RING_PIXELS = 6; // the iframe is larger by this much, so that focus rings fit into it
  const READY_TIMEOUT_MILLISECONDS = 10000;

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
      this._pending = new Map(); // the id of a message → what resolves its promise
      this._nextId = 1;
      this._frame = null;
      this._onMessage = this._onMessage.bind(this);
    }

    mount(target) {
      const node = typeof target === "string" ? document.querySelector(target) : target;
      if (!node) throw new IntegrationError(`The element can't be mounted: nothing matches ${target}.`);
      if (this._frame) this.unmount();
      const frame = document.createElement("iframe");
      frame.title = FRAME_TITLE;
      frame.src = `${ORIGIN}/frame/card`;
      frame.allow = "payment *";
      Object.assign(frame.style, {
        border: "0",
        display: "block",
        width: `calc(100% + ${2 * FOCUS_RING_PIXELS}px)`,
        margin: `-${FOCUS_RING_PIXELS}px`,
        height: "280px",
        maxWidth: "none",
      });
      frame.addEventListener("load", () => this._connect());
      window.addEventListener("message", this._onMessage);
      this._frame = frame;
      node.replaceChildren(frame);
    }

    unmount() {
      window.removeEventListener("message", this._onMessage);
      if (this._frame) this._frame.remove();
      this._frame = null;
      const error = { type: "api_error", message: "The element was unmounted." };
      for (const resolve of this._pending.values()) resolve({ error });
      this._pending.clear();
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
      const wrapper = (value) => {
        this.off(event, wrapper);
        listener(value);
      };
      return this.on(event, wrapper);
    }

    focus() { this._request("focus"); }
    clear() { this._request("clear"); }
    blur() { this._frame?.blur(); }
    collapse() {}
    update(options) { this._options = { ...this._options, ...options }; }

    async _connect() {
      const { appearance = {}, fonts = [] } = this._elements._options;
      const frame = this._frame;
      const hello = this._request("hello", { variables: { ...(appearance.variables || {}) }, fonts });
      const timeout = new Promise((resolve) => setTimeout(resolve, READY_TIMEOUT_MILLISECONDS, null));
      const result = await Promise.race([hello, timeout]);
      if (frame !== this._frame) return; // unmounted or mounted again in the meantime
      if (!result || result.error) {
        const error = { type: "api_connection_error", message: "The card form couldn't be loaded." };
        this._emit("loaderror", { elementType: "payment", error });
        return;
      }
      this._resize(result.height);
      this._emit("ready", { elementType: "payment" });
    }

    _request(command, fields = {}) {
      if (!this._frame) return Promise.reject(new IntegrationError("The element is not mounted."));
      const id = this._nextId++;
      const result = new Promise((resolve) => this._pending.set(id, resolve));
      this._frame.contentWindow.postMessage({ sandbox: 1, id, do: command, ...fields }, ORIGIN);
      return result;
    }

    _onMessage(event) {
      if (!this._frame || event.origin !== ORIGIN || event.source !== this._frame.contentWindow) return;
      const message = event.data;
      if (!message || message.sandbox !== 1) return;
      if (this._pending.has(message.id)) {
        this._pending.get(message.id)(message.result);
        this._pending.delete(message.id);
      } else if (message.event === "size") {
        this._resize(message.height);
      } else if (message.event === "change") {
        const { complete, empty } = message;
        this._emit("change", { elementType: "payment", collapsed: false, complete, empty, value: { type: "card" } });
      } else if (message.event) {
        this._emit(message.event, { elementType: "payment" });
      }
    }

    _resize(height) {
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
      if (type !== "payment") {
        throw new IntegrationError(`The sandbox supports the payment element only, not ${type}.`);
      }
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
      if (!this._element) {
        throw new IntegrationError("Create and mount a Payment Element before calling elements.submit().");
      }
      const result = await this._element._request("submit");
      this._submitted = !result.error;
      return result;
    }

    _forget() {
      this._element = null;
    }
  }

  /** Show the bank's page over the shop's, until the shopper has answered there or closed it. */
  function showBank(url) {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    frame.title = "Confirm with your bank";
    frame.src = url;
    Object.assign(frame.style, { border: "0", display: "block", width: "min(400px, 80vw)", height: "360px" });
    Object.assign(dialog.style, { border: "1px solid", margin: "auto", padding: "12px", background: "#fff" });
    dialog.append(close, frame);
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      const done = (event) => {
        if (event && (event.origin !== ORIGIN || event.data?.event !== "authenticated")) return;
        window.removeEventListener("message", done);
        dialog.remove();
        resolve();
      };
      window.addEventListener("message", done);
      close.addEventListener("click", () => done());
      dialog.addEventListener("cancel", () => done());
    });
  }

  function Stripe(key, options = {}) {
    if (typeof key !== "string" || !/^pk_(test|live)_/.test(key)) {
      throw new IntegrationError("Stripe() needs a publishable key, such as pk_test_….");
    }

    async function retrievePaymentIntent(clientSecret) {
      const intentId = String(clientSecret).split("_secret_")[0];
      const query = new URLSearchParams({ key, client_secret: clientSecret });
      try {
        const response = await fetch(`${ORIGIN}/v1/payment_intents/${encodeURIComponent(intentId)}?${query}`);
        const result = await response.json();
        return response.ok ? { paymentIntent: result } : { error: result.error };
      } catch {
        return { error: { type: "api_connection_error", message: "We couldn't reach the payment service." } };
      }
    }

    return {
      elements(elementsOptions = {}) {
        const { mode, amount, currency } = elementsOptions;
        if (mode !== "payment" || !Number.isInteger(amount) || amount <= 0 || typeof currency !== "string") {
          throw new IntegrationError("elements() needs mode: 'payment', a positive whole amount and a currency.");
        }
        return new Elements({ locale: options.locale, ...elementsOptions });
      },

      async createConfirmationToken({ elements, params = {} } = {}) {
        if (!(elements instanceof Elements)) throw new IntegrationError("createConfirmationToken() needs elements.");
        if (!elements._submitted) {
          throw new IntegrationError("Call elements.submit() before stripe.createConfirmationToken().");
        }
        elements._submitted = false;
        return elements._element._request("token", { key, params: JSON.parse(JSON.stringify(params)) });
      },

      retrievePaymentIntent,

      async handleNextAction({ clientSecret }) {
        const result = await retrievePaymentIntent(clientSecret);
        if (result.error || result.paymentIntent.status !== "requires_action") return result;
        const { id, next_action: action } = result.paymentIntent;
        if (action.type === "redirect_to_url") {
          location.assign(action.redirect_to_url.url);
          return new Promise(() => {}); // the page is left
        }
        await showBank(`${ORIGIN}/bank/${id}/${action.use_stripe_sdk.source}`);
        const after = await retrievePaymentIntent(clientSecret);
        const failure = after.paymentIntent?.last_payment_error;
        if (failure) return { error: { ...failure, payment_intent: after.paymentIntent } };
        return after;
      },
    };
  }

  Stripe.version = "sandbox";
  window.Stripe = Stripe;
})();
