import ConvertCommand

@main
enum Main {
  static func main() { runTFConvert() }
}
