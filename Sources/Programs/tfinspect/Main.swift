import InspectCommand

@main
enum Main {
  static func main() { runTFInspect() }
}
