// A part that is wider than the window says so, and fades at the side where more is.
{
  const parts = [...document.querySelectorAll(".scroll")];
  const look = () => parts.forEach((part) => {
    const more = part.scrollWidth - part.clientWidth;
    part.classList.toggle("scrolls", more > 4);
    part.classList.toggle("more", more > 4 && part.scrollLeft < more - 4);
  });
  parts.forEach((part) => part.addEventListener("scroll", look, { passive: true }));
  document.querySelectorAll("details").forEach((details) => details.addEventListener("toggle", look));
  window.addEventListener("resize", look);
  look();
}
