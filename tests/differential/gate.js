// Holds back what a script wants to happen later, until the script says so. gate.py is its twin.
'use strict';

// What waits at one server's gate goes on when the script opens it; the gate stays open.
class Gate {
  constructor() {
    this.held = [];
    this.isOpen = false;
    this.opened = null;
  }

  // Call a function when the gate opens, or at once if it is open.
  hold(goOn) {
    if (this.isOpen) return goOn();
    this.held.push(goOn);
    if (this.opened) this.open(this.opened);
  }

  // Open the gate as soon as something waits there, so that what is to be late is never early on a slow machine.
  release(opened) {
    if (this.held.length || this.isOpen) this.open(opened);
    else this.opened = opened;
  }

  open(opened) {
    this.isOpen = true;
    this.opened = null;
    for (const goOn of this.held.splice(0)) goOn();
    opened();
  }
}

module.exports = {Gate};
