import TensorCore

/// What a pickle describes. It is read, never run: nothing is imported, and no call is made.
///
/// A pickle is a program for a machine with a stack. Here, the machine makes only values: a class or a
/// function is its name, and what it would make of its arguments is a description of the call. Whoever
/// reads the result decides which of these names he knows.
struct Pickle {
  /// What is left on the stack at the end.
  let root: PickleValue
  /// What the root is made of.
  let heap: PickleHeap
  /// Where the pickle ends in the bytes that it stands in.
  let end: Int

  /// Reads a pickle.
  ///
  /// - Parameters:
  ///   - source: what it stands in.
  ///   - start: where it begins in `source`.
  ///   - base: where `source` begins in its file, for errors.
  ///   - memory: how many bytes what it makes may take.
  /// - Throws: `CheckpointError` that says at which byte of the file an opcode is wrong.
  init(
    _ source: any TensorBytes, at start: Int = 0, base: Int, memory: Int = Limits.pickleMemory
  ) throws(CheckpointError) {
    var machine = PickleMachine(PickleReader(source, at: start, base: base), memory: memory)
    root = try machine.run()
    heap = machine.heap
    end = machine.position
  }
}
