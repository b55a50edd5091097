/// Without registers.
public enum PlainDINOv2: DINOv2Member {
  public static let name = "dinov2"
  public static let prefix = "Dinov2"
  public static let registers: Int? = nil
  public static let resizesSmoothly = false
}

/// With registers. Darcet et al., arXiv 2309.16588.
public enum DINOv2WithRegisters: DINOv2Member {
  public static let name = "dinov2_with_registers"
  public static let prefix = "Dinov2WithRegisters"
  public static let registers: Int? = 4
  public static let resizesSmoothly = true
}
