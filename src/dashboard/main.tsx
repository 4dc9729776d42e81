/** Entry of the page. */
import { render } from 'preact';
import { App } from './ui/app.tsx';

const page = document.getElementById('page');
if (page !== null) render(<App />, page);
