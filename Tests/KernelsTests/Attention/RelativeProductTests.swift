import Kernels
import TestSupport
import Testing

@Suite struct RelativeProductTests {
  @Test(arguments: [(1, 1), (4, 4), (3, 8), (5, 6)])
  func `what is added to a score is the product with its distance`(_ queries: Int, _ keys: Int) {
    let (batch, heads, width) = (2, 3, queries + keys - 1)
    var randoms = Randoms(seed: 3)
    let products = randoms.array(batch, heads, queries, width, of: Double.self)
    let addends = randoms.array(batch, heads, queries, 2, of: Double.self)
    let differs = NDArray(
      shape: [batch, queries, keys],
      elements: (0..<batch * queries * keys).map { $0 % 3 == 1 })
    let plain = alignedByDistance(products, keys: keys)
    let both = alignedByDistance(products, keys: keys, kinds: (addends, differs))
    func element(_ bias: ScoreBias<Double>, _ place: [Int]) -> Double {
      let index =
        bias.offset + bias.batch * place[0] + bias.head * place[1] + bias.query * place[2]
        + bias.key * place[3]
      return bias.array.elements[index]
    }
    for member in 0..<batch {
      for head in 0..<heads {
        for query in 0..<queries {
          for key in 0..<keys {
            let place = [member, head, query, key]
            let row = (member * heads + head) * queries + query
            // The last query and the first key are farthest apart.
            let expected = products.elements[row * width + key + queries - 1 - query]
            let kind = differs.elements[(member * queries + query) * keys + key] ? 1 : 0
            #expect(element(plain, place) == expected)
            #expect(element(both, place) == expected + addends.elements[2 * row + kind])
          }
        }
      }
    }
  }
}
