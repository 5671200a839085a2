// A checkout page with only the card form, for the tests of stripe.js.
const output = document.querySelector("output");
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
    output.textContent = `${error.type} ${error.code}`;
    return;
  }
  const result = await stripe.createConfirmationToken({
    elements,
    params: { payment_method_data: { billing_details: { email: "ada@example.com", name: "" } } },
  });
  output.textContent = result.error ? `${result.error.type} ${result.error.code}` : result.confirmationToken.id;
});
window.handleNextAction = (clientSecret) => stripe.handleNextAction({ clientSecret });
