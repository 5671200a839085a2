"""The oldest browsers that the shop supports (docs/browsers.md), and a lint that keeps its pages to them."""
