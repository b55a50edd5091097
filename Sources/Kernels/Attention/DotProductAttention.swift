/// Scaled dot-product attention with several heads: `softmax(cap(q·kᵀ·scale) + bias)·v` for each head.
///
/// Vaswani et al.: "Attention Is All You Need", arXiv 1706.03762, eq. 1 and §3.2.2. Heads that share keys
/// and values: Ainslie et al.: "GQA", arXiv 2305.13245, §2.2. Scores are computed tile by tile with a
/// running softmax, so that memory does not grow with queries × keys: Dao, "FlashAttention-2",
/// arXiv 2307.08691, algorithm 1.
///
/// - Parameters:
///   - query: `[batch, queries, heads × head size]`, heads side by side.
///   - key: `[batch, keys, key heads × head size]`
///   - value: `[batch, keys, key heads × value size]`
///   - keys: how many positions of `key` and `value` count, if there is room for more in them.
///   - heads: the number of heads.
///   - keyHeads: how many heads keys and values have; it divides `heads`, and as many heads in a row
///     share each. As many as `heads` if not given.
///   - scores: how products become weights.
/// - Returns: `[batch, queries, heads × value size]`; zeros if there is no key.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
public func attention<Scalar: ComputeScalar>(
  query: NDArray<Scalar>, key: NDArray<Scalar>, value: NDArray<Scalar>, keys: Int? = nil,
  heads: Int, keyHeads: Int? = nil, scores: Scores<Scalar>
) -> NDArray<Scalar> {
  let form = AttentionForm(
    query: query.shape, key: key.shape, value: value.shape, keys: keys, heads: heads,
    keyHeads: keyHeads ?? heads)
  scores.check(form)
  if form.isEmpty { return NDArray(shape: form.resultShape, repeating: 0) }
  let tasks = scores.keys.tasks(form)
  let hidden = scores.keys.hiddenNumbers(Scalar.self)
  let bias = scores.bias?.array.elements ?? []
  let (width, keyWidth, valueWidth) = (query.width, key.width, value.width)
  let resultWidth = heads * form.valueSize
  return unsafe NDArray(shape: form.resultShape) { out in
    unsafe withPointers(to: [
      scores.keys.allowed?.elements ?? [], scores.keys.global?.elements ?? [],
    ]) {
      flags in
      unsafe withPointers(
        to: [query.elements, key.elements, value.elements, bias, hidden ?? []]
      ) { pointers in
        let (q, k, v) = unsafe (pointers[0], pointers[1], pointers[2])
        let numbers = unsafe Numbers(
          bias: pointers[3], hidden: hidden == nil ? nil : pointers[4], allowed: flags[0],
          global: flags[1])
        Parallel.forEach(
          count: tasks.count,
          scratch: { RunningSoftmax<Scalar>(queries: form.queries, keys: form.keys) }
        ) { softmax, index in
          let task = tasks[index]
          let firstRow = task.member * form.queries + task.part.queries.lowerBound
          let (firstKey, keyHead) = (task.member * form.room, form.keyHead(of: task.head))
          unsafe softmax.attend(
            task.part,
            query: HeadRows(
              start: q + firstRow * width + task.head * form.headSize, width: form.headSize,
              stride: width),
            key: HeadRows(
              start: k + firstKey * keyWidth + keyHead * form.headSize, width: form.headSize,
              stride: keyWidth),
            value: HeadRows(
              start: v + firstKey * valueWidth + keyHead * form.valueSize, width: form.valueSize,
              stride: valueWidth),
            scoring: HeadScoring(scores, numbers, form, task),
            result: out + firstRow * resultWidth + task.head * form.valueSize,
            stride: resultWidth)
        }
      }
    }
  }
}
