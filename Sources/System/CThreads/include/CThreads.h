#pragma once

/// Calls `body` on several threads at once, of which this is one, and returns when all have returned.
///
/// The others start on processors of their own, where there are so many; from then on the system moves
/// them as it likes. Left to itself, Linux puts new threads behind the one that starts them, for
/// milliseconds, if it takes the other processors for busy; in a virtual machine it takes those for busy
/// that sleep.
///
/// No signal is delivered to the others.
///
/// @param count how many threads; there are fewer if the system has no more.
void tfkit_on_threads(unsigned count, void (*body)(void *), void *context);
