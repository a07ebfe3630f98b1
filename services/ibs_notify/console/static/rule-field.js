// The rule workshop: what the services say of a rule while it is being written.
"use strict";
