// A checkout page with nothing but the card form, for the tests of stripe.js.
const said = document.querySelector("output");
const stripe = Stripe(document.body.dataset.key);
const elements = stripe.elements({
  mode: "payment", amount: 9600, currency: "eur", captureMethod: "manual", paymentMethodTypes: ["card"],
  appearance: { variables: { colorBackground: "rgb(10, 60, 40)", colorText: "rgb(250, 240, 230)", fontFamily: "serif" } },
});
const element = elements.create("payment", { layout: "tabs" });
window.changes = [];
element.on("ready", () => { document.body.dataset.ready = "yes"; });
element.on("change", (change) => window.changes.push([change.complete, change.empty]));
element.on("loaderror", () => { document.body.dataset.ready = "no"; });
element.mount("#card");

document.querySelector("button").addEventListener("click", async () => {
  const { error } = await elements.submit();
  if (error) {
    said.textContent = `${error.type} ${error.code}`;
    return;
  }
  const made = await stripe.createConfirmationToken({
    elements,
    params: { payment_method_data: { billing_details: { email: "ada@example.com", name: "" } } },
  });
  said.textContent = made.error ? `${made.error.type} ${made.error.code}` : made.confirmationToken.id;
});
window.next = (clientSecret) => stripe.handleNextAction({ clientSecret });
