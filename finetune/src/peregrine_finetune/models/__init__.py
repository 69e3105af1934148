"""Networks that are small enough to read: CIFAR ResNets, a VGG, YOLOv5n, and torchvision's MobileNetV2."""

from .mobilenet import mobilenet_v2
from .resnet import CifarResNet, resnet20, resnet32, resnet44
from .vgg import SmallVgg
from .yolo import Yolov5n, yolov5n

__all__ = ["CifarResNet", "SmallVgg", "Yolov5n", "mobilenet_v2", "resnet20", "resnet32", "resnet44", "yolov5n"]
