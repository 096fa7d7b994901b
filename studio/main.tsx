/** Where the page starts. */
import "./models/no-eval.js";
import { render } from "preact";
import { App } from "./app/app.js";
import "./style.css";

const root = document.getElementById("app") as HTMLElement;
root.textContent = "";
render(<App />, root);
